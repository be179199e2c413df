"""The Proxy-Wasm ABI as data: numbers, names and signatures of versions 0.1.0, 0.2.0 and 0.2.1.

Source: the ABI specification v0.2.1 of the proxy-wasm project and the host that Envoy embeds, where they differ. The
module holds tables and no behaviour. A signature is written as letters, `i` for i32 and `I` for i64.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


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


class Signature(NamedTuple):
    """Parameters and results, one letter each."""

    parameters: str
    results: str = "i"


VERSIONS: Final = {f"proxy_abi_version_{v.replace('.', '_')}": v for v in ("0.1.0", "0.2.0", "0.2.1")}
"""Marker export -> ABI version."""

ALLOCATORS: Final = ("malloc", "proxy_on_memory_allocate")
"""Exports that give the host memory in the guest, in the order in which Envoy tries them."""

ENV_IMPORTS: Final[dict[str, Signature]] = {
    "proxy_log": Signature("iii"),
    "proxy_get_log_level": Signature("i"),
    "proxy_get_current_time_nanoseconds": Signature("i"),
    "proxy_set_tick_period_milliseconds": Signature("i"),
    "proxy_get_buffer_bytes": Signature("iiiii"),
    "proxy_set_buffer_bytes": Signature("iiiii"),
    "proxy_get_buffer_status": Signature("iii"),
    "proxy_get_header_map_size": Signature("ii"),
    "proxy_get_header_map_pairs": Signature("iii"),
    "proxy_set_header_map_pairs": Signature("iii"),
    "proxy_get_header_map_value": Signature("iiiii"),
    "proxy_add_header_map_value": Signature("iiiii"),
    "proxy_replace_header_map_value": Signature("iiiii"),
    "proxy_remove_header_map_value": Signature("iii"),
    "proxy_continue_stream": Signature("i"),
    "proxy_close_stream": Signature("i"),
    "proxy_get_status": Signature("iii"),
    "proxy_send_local_response": Signature("iiiiiiii"),
    "proxy_http_call": Signature("iiiiiiiiii"),
    "proxy_grpc_call": Signature("iiiiiiiiiiii"),
    "proxy_grpc_stream": Signature("iiiiiiiii"),
    "proxy_grpc_send": Signature("iiii"),
    "proxy_grpc_cancel": Signature("i"),
    "proxy_grpc_close": Signature("i"),
    "proxy_set_shared_data": Signature("iiiii"),
    "proxy_get_shared_data": Signature("iiiii"),
    "proxy_register_shared_queue": Signature("iii"),
    "proxy_resolve_shared_queue": Signature("iiiii"),
    "proxy_enqueue_shared_queue": Signature("iii"),
    "proxy_dequeue_shared_queue": Signature("iii"),
    "proxy_define_metric": Signature("iiii"),
    "proxy_record_metric": Signature("iI"),
    "proxy_increment_metric": Signature("iI"),
    "proxy_get_metric": Signature("ii"),
    "proxy_get_property": Signature("iiii"),
    "proxy_set_property": Signature("iiii"),
    "proxy_call_foreign_function": Signature("iiiiii"),
    "proxy_set_effective_context": Signature("i"),
    "proxy_done": Signature(""),
    # 0.1.0 only
    "proxy_get_configuration": Signature("ii"),
    "proxy_continue_request": Signature(""),
    "proxy_continue_response": Signature(""),
    "proxy_clear_route_cache": Signature(""),
    # what Emscripten's runtime asks for
    "pthread_equal": Signature("ii"),
    "emscripten_notify_memory_growth": Signature("i", ""),
}
"""Imports of the module `env`. Every one of them can be linked; those this host does not serve answer UNIMPLEMENTED."""

ONLY_IN: Final[dict[str, tuple[str, ...]]] = {
    "proxy_get_log_level": ("0.2.1",),
    "proxy_continue_stream": ("0.2.0", "0.2.1"),
    "proxy_close_stream": ("0.2.0", "0.2.1"),
    "proxy_get_configuration": ("0.1.0",),
    "proxy_continue_request": ("0.1.0",),
    "proxy_continue_response": ("0.1.0",),
    "proxy_clear_route_cache": ("0.1.0",),
}
"""Imports that not every version has; Envoy refuses a module that asks for one of another version."""

WASI_MODULES: Final = ("wasi_snapshot_preview1", "wasi_unstable")

WASI_IMPORTS: Final[dict[str, Signature]] = {
    "args_get": Signature("ii"),
    "args_sizes_get": Signature("ii"),
    "clock_time_get": Signature("iIi"),
    "environ_get": Signature("ii"),
    "environ_sizes_get": Signature("ii"),
    "fd_close": Signature("i"),
    "fd_fdstat_get": Signature("ii"),
    "fd_fdstat_set_flags": Signature("ii"),
    "fd_prestat_dir_name": Signature("iii"),
    "fd_prestat_get": Signature("ii"),
    "fd_read": Signature("iiii"),
    "fd_seek": Signature("iIii"),
    "fd_write": Signature("iiii"),
    "poll_oneoff": Signature("iiii"),
    "proc_exit": Signature("i", ""),
    "random_get": Signature("ii"),
    "sched_yield": Signature(""),
}
"""Imports of both WASI modules that filters built by the known SDKs ask for."""

CALLBACKS: Final[dict[str, Signature]] = {
    "_initialize": Signature("", ""),
    "_start": Signature("", ""),
    "malloc": Signature("i"),
    "proxy_on_memory_allocate": Signature("i"),
    "proxy_on_context_create": Signature("ii", ""),
    "proxy_on_vm_start": Signature("ii"),
    "proxy_on_configure": Signature("ii"),
    "proxy_on_request_headers": Signature("iii"),
    "proxy_on_done": Signature("i"),
    "proxy_on_log": Signature("i", ""),
    "proxy_on_delete": Signature("i", ""),
}
"""Exports that this host calls, with the signature it calls them by."""

CALLBACKS_0_1_0: Final[dict[str, Signature]] = {"proxy_on_request_headers": Signature("ii")}
"""Where 0.1.0 differs."""
