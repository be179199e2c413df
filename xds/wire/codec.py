"""betterproto2 messages to bytes and back, compiled per message class at first use.

betterproto2 validates at every nesting level, on encoding and on decoding; here a message that was built is trusted,
and what is decoded is right by construction. The result is the same: `encode(m) == bytes(m)`, and `decode(cls, data)`
equals `cls.parse(data)`, held by property tests over every class that we emit or read. It differs, each time with a
test, where betterproto2 differs from protobuf itself:

- decode merges a sub-message that occurs twice, and the last member of a oneof wins (protobuf.dev, "Last One Wins");
  betterproto2 replaces the sub-message and refuses the oneof;
- a map entry without its value holds the default value; betterproto2 refuses it when the value is a message;
- a negative duration with a fraction keeps its value; betterproto2 writes -1.5 s as -0.5 s;
- truncated input, groups and wrong wire types are errors; betterproto2 accepts some of them silently.
"""

from __future__ import annotations

from typing import TypeVar

import betterproto2

from .decoder import read
from .encoder import ENCODERS
from .errors import DecodeError
from .plans import PLANS

__all__ = ["MAX_SIZE", "DecodeError", "decode", "encode"]

M = TypeVar("M", bound=betterproto2.Message)

MAX_SIZE = 64 * 1024 * 1024
"""Bytes that `decode` accepts unless told otherwise."""


def encode(message: betterproto2.Message) -> bytes:
    """Return the wire format of `message`, unknown fields included, without validating it again.

    A value that no constructor would have accepted (assigned later) gives what its type gives, or raises as struct
    and str do.
    """
    return ENCODERS[type(message)](message)


def decode(cls: type[M], data: bytes, *, max_size: int = MAX_SIZE) -> M:
    """Return the message of class `cls` in `data`, unknown fields kept.

    Raises `DecodeError`, and nothing else, for input that is malformed, nested deeper than 100 levels or longer than
    `max_size` bytes.
    """
    if len(data) > max_size:
        raise DecodeError(f"{len(data)} bytes, where at most {max_size} are accepted", max_size)
    message = read(PLANS[cls], data, 0, len(data), 0)
    assert isinstance(message, cls)  # noqa: S101 - tells the type checker what the plan was made for
    return message
