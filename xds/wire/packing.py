"""Typed configuration inside betterproto messages: any message as a google.protobuf.Any.

Knows the message pool of `envoy_data_plane`, which maps classes to type URLs; refuses to know which extension goes
where.
"""

from __future__ import annotations

import betterproto2
from envoy_data_plane.google.protobuf import Any as AnyMessage
from envoy_data_plane.message_pool import default_message_pool

from .codec import encode


def type_url_of(cls: type[betterproto2.Message]) -> str:
    """Return the type URL of a generated message class; raise TypeError for a class that has none."""
    url = default_message_pool.type_to_url.get(cls)
    if url is None:
        raise TypeError(f"{cls.__name__} is not a generated message class")
    return url


def pack_any(message: betterproto2.Message) -> AnyMessage:
    """Return `message` as the Any that `typed_config` and its like take; the URL follows from the class."""
    return AnyMessage(type_url=type_url_of(type(message)), value=encode(message))
