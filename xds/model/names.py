"""Names of things: what an id may look like, and the keys that hold an environment and a name together.

An id is `[a-z0-9][a-z0-9._-]{0,127}`: it fits a file name, a URL path, a label value and an Envoy resource name
without any escaping.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from xds.model.problems import InvalidInput

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}\Z")

DEFAULT_ENV = "default"
EVERY = "-"  # stands where the name of a subset does, and is none: all instances of a service


def is_id(text: str) -> bool:
    """Say whether `text` is an id."""
    return _ID.match(text) is not None


def check_id(text: str, *, pointer: str, what: str = "id") -> str:
    """Return `text` if it is an id; InvalidInput at `pointer` otherwise, naming the first bad character."""
    if _ID.match(text):
        return text
    if not text:
        raise InvalidInput(f"{what} is empty", pointer=pointer)
    if len(text) > 128:
        raise InvalidInput(f"{what} has {len(text)} characters, at most 128 are allowed", pointer=pointer)
    bad = next(
        (at for at, char in enumerate(text) if not re.match(r"[a-z0-9]" if at == 0 else r"[a-z0-9._-]", char)),
        0,
    )
    raise InvalidInput(
        f"{what} {text!r}: {text[bad]!r} at position {bad + 1} is not allowed; use a-z, 0-9, and after the first "
        "character also '.', '_' and '-'",
        pointer=pointer,
    )


class Key(NamedTuple):
    """An object's name inside its environment. Environments are walls: the same name in two is two objects."""

    env: str
    name: str

    def __str__(self) -> str:
        """Return `env/name`, the spelling in logs, journals and problems."""
        return f"{self.env}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read `env/name`, or `name` alone for the default environment; InvalidInput for anything else."""
        env, slash, name = text.partition("/")
        if not slash:
            env, name = DEFAULT_ENV, text
        return cls(check_id(env, pointer="", what="env"), check_id(name, pointer="", what="name"))


class ServiceKey(Key):
    """The name of a service inside its environment."""

    @classmethod
    def of(cls, name: str, env: str = DEFAULT_ENV) -> ServiceKey:
        """Return the key after checking both parts (InvalidInput with pointers `/service` and `/env`)."""
        return cls(check_id(env, pointer="/env", what="env"), check_id(name, pointer="/service", what="service"))
