"""Waiting for a condition, with a deadline, instead of sleeping and hoping.

Both forms call `predicate` until it answers something true and return that answer. A predicate that raises
AssertionError is not there yet; its last words are part of the error at the deadline.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


class NotInTime(AssertionError):
    """The condition did not come true before its deadline."""


def wait_until(predicate: Callable[[], T | None], timeout: float = 10.0, *, every: float = 0.02, what: str = "") -> T:
    """Call `predicate` until it is true; `timeout` and `every` in seconds. Raises NotInTime, naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        answer, last = _ask(predicate)
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise NotInTime(_complaint(predicate, what, timeout, last))
        time.sleep(every)


@overload
async def until(
    predicate: Callable[[], Awaitable[T | None]], timeout: float = ..., *, every: float = ..., what: str = ...
) -> T: ...
@overload
async def until(
    predicate: Callable[[], T | None], timeout: float = ..., *, every: float = ..., what: str = ...
) -> T: ...
async def until(
    predicate: Callable[[], object],
    timeout: float = 10.0,
    *,
    every: float = 0.02,
    what: str = "",
) -> object:
    """The same for coroutines: `predicate` may be a plain function or a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        answer, last = await _ask_async(predicate)
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise NotInTime(_complaint(predicate, what, timeout, last))
        await asyncio.sleep(every)


def _ask(predicate: Callable[[], T | None]) -> tuple[T | None, object]:
    try:
        answer = predicate()
    except AssertionError as error:
        return None, error
    return answer, answer


async def _ask_async(predicate: Callable[[], object]) -> tuple[object, object]:
    try:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
    except AssertionError as error:
        return None, error
    return answer, answer


def _complaint(predicate: Callable[..., object], what: str, timeout: float, last: object) -> str:
    name = what or getattr(predicate, "__qualname__", repr(predicate))
    return f"not in {timeout:g} s: {name}; last seen: {last!r}"
