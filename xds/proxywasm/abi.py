"""The numbers of the Proxy-Wasm ABI, versions 0.1.0, 0.2.0 and 0.2.1.

Source: the ABI specification v0.2.1 of the proxy-wasm project and the host that Envoy embeds, where they differ. Names
and signatures of imports and exports are in `signatures`.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What a host call returns."""

    OK = 0
    NOT_FOUND = 1
    BAD_ARGUMENT = 2
    SERIALIZATION_FAILURE = 3
    PARSE_FAILURE = 4
    BAD_EXPRESSION = 5
    INVALID_MEMORY_ACCESS = 6
    EMPTY = 7
    CAS_MISMATCH = 8
    RESULT_MISMATCH = 9
    INTERNAL_FAILURE = 10
    BROKEN_CONNECTION = 11
    UNIMPLEMENTED = 12


class LogLevel(IntEnum):
    """Levels of `proxy_log`."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    CRITICAL = 5


class Action(IntEnum):
    """What a callback on headers, bodies and trailers returns."""

    CONTINUE = 0
    PAUSE = 1


class Buffer(IntEnum):
    """Buffers of `proxy_get_buffer_bytes`."""

    REQUEST_BODY = 0
    RESPONSE_BODY = 1
    DOWNSTREAM = 2
    UPSTREAM = 3
    HTTP_CALL_BODY = 4
    GRPC_MESSAGE = 5
    VM_CONFIGURATION = 6
    PLUGIN_CONFIGURATION = 7
    FOREIGN_ARGUMENTS = 8


class HeaderMap(IntEnum):
    """Maps of the header calls."""

    REQUEST_HEADERS = 0
    REQUEST_TRAILERS = 1
    RESPONSE_HEADERS = 2
    RESPONSE_TRAILERS = 3
    GRPC_INITIAL = 4
    GRPC_TRAILING = 5
    CALL_HEADERS = 6
    CALL_TRAILERS = 7


class MetricType(IntEnum):
    """Kinds of `proxy_define_metric`."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


class StreamType(IntEnum):
    """What `proxy_continue_stream` and `proxy_close_stream` act on."""

    REQUEST = 0
    RESPONSE = 1
    DOWNSTREAM = 2
    UPSTREAM = 3


class Peer(IntEnum):
    """Who closed a connection."""

    UNKNOWN = 0
    LOCAL = 1
    REMOTE = 2
