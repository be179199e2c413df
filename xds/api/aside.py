"""Long work beside the event loop: in one thread, and so that the loop has the interpreter back at once.

A thread that computes keeps the interpreter for five milliseconds at a time, which a push pays several times over, and
it fills the collector's oldest generation, whose next pass stops everybody for as long as the registry is large. While
such work is done turns are short, and the collector waits.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

TURN: Final = 0.0002
"""Seconds after which a thread that computes lets another one have the interpreter."""

_T = TypeVar("_T")


class Aside:
    """One thread for long work, one piece after another; for the event loop's own thread to call."""

    def __init__(self) -> None:
        """Start with nothing to do; the thread starts with the first piece."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fairlead-aside")
        self._inside = 0
        self._usual = sys.getswitchinterval()
        self._collects = gc.isenabled()

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Let no thread hold the loop up while the block runs, whatever threads it waits for."""
        if not self._inside:
            self._usual = sys.getswitchinterval()
            self._collects = gc.isenabled()
            sys.setswitchinterval(TURN)
            gc.disable()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                sys.setswitchinterval(self._usual)
                if self._collects:
                    gc.enable()

    async def do(self, work: Callable[[], _T]) -> _T:
        """Return what the work returns; it is done in the thread, after what was handed in before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
