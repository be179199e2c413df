"""Long work beside the event loop: one piece after another, in short turns, and the collector waits."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading

import pytest

from xds.api.aside import TURN, Aside


async def test_while_it_is_done_turns_are_short_and_the_collector_waits_and_afterwards_all_is_as_before() -> None:
    usual, aside = sys.getswitchinterval(), Aside()

    def seen() -> tuple[bool, bool]:
        return sys.getswitchinterval() <= TURN * 1.01, gc.isenabled()

    async def ask() -> tuple[bool, bool]:
        with aside.gently():
            return await aside.do(seen)

    assert tuple(await asyncio.gather(ask(), ask())) == ((True, False), (True, False))
    assert (sys.getswitchinterval(), gc.isenabled()) == (usual, True)


async def test_what_fails_leaves_nothing_behind() -> None:
    usual, aside = sys.getswitchinterval(), Aside()
    with pytest.raises(ZeroDivisionError), aside.gently():
        await aside.do(lambda: 1 // 0)
    assert (sys.getswitchinterval(), gc.isenabled()) == (usual, True)


async def test_a_collector_that_was_off_before_stays_off() -> None:
    gc.disable()
    try:
        with Aside().gently():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_there_is_one_thread_for_all_of_it() -> None:
    aside = Aside()
    threads = await asyncio.gather(*(aside.do(threading.get_ident) for _ in range(5)))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
