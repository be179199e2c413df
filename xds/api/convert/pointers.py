"""Errors of the model, seen from the caller's document: the same words, another pointer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from xds.model.problems import FairleadError


@contextmanager
def under(prefix: str) -> Iterator[None]:
    """Let errors of the block point below `prefix`."""
    try:
        yield
    except FairleadError as error:
        raise error.under(prefix) from error


@contextmanager
def renamed(places: Mapping[str, str]) -> Iterator[None]:
    """Let errors that point at (or below) a key of `places` point at its value instead."""
    try:
        yield
    except FairleadError as error:
        for before, after in places.items():
            if error.pointer == before or error.pointer.startswith(f"{before}/"):
                rest = error.pointer.removeprefix(before)
                raise type(error)(error.message, pointer=after + rest, code=error.code) from error
        raise
