"""Names and signatures of what Proxy-Wasm modules import and export, versions 0.1.0, 0.2.0 and 0.2.1.

Source: the ABI specification v0.2.1 of the proxy-wasm project and the host that Envoy embeds, where they differ; for
WASI, its preview 1. The module holds tables and no behaviour. A signature is written as letters, `i` for i32 and `I`
for i64.
"""

from __future__ import annotations

from typing import Final, NamedTuple


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
"""Imports of the module `env`. Every one of them is served."""

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

WASI_SERVED: Final[dict[str, Signature]] = {
    "args_get": Signature("ii"),
    "args_sizes_get": Signature("ii"),
    "clock_res_get": Signature("ii"),
    "clock_time_get": Signature("iIi"),
    "environ_get": Signature("ii"),
    "environ_sizes_get": Signature("ii"),
    "fd_close": Signature("i"),
    "fd_fdstat_get": Signature("ii"),
    "fd_prestat_get": Signature("ii"),
    "fd_write": Signature("iiii"),
    "poll_oneoff": Signature("iiii"),
    "proc_exit": Signature("i", ""),
    "random_get": Signature("ii"),
    "sched_yield": Signature(""),
}
"""What both WASI modules do here: clocks, randomness, environment, and output that becomes log lines."""

WASI_ABSENT: Final[dict[str, Signature]] = {
    "fd_advise": Signature("iIIi"),
    "fd_allocate": Signature("iII"),
    "fd_datasync": Signature("i"),
    "fd_fdstat_set_flags": Signature("ii"),
    "fd_fdstat_set_rights": Signature("iII"),
    "fd_filestat_get": Signature("ii"),
    "fd_filestat_set_size": Signature("iI"),
    "fd_filestat_set_times": Signature("iIIi"),
    "fd_pread": Signature("iiiIi"),
    "fd_prestat_dir_name": Signature("iii"),
    "fd_pwrite": Signature("iiiIi"),
    "fd_read": Signature("iiii"),
    "fd_readdir": Signature("iiiIi"),
    "fd_renumber": Signature("ii"),
    "fd_seek": Signature("iIii"),
    "fd_sync": Signature("i"),
    "fd_tell": Signature("ii"),
    "path_create_directory": Signature("iii"),
    "path_filestat_get": Signature("iiiii"),
    "path_filestat_set_times": Signature("iiiiIIi"),
    "path_link": Signature("iiiiiii"),
    "path_open": Signature("iiiiiIIii"),
    "path_readlink": Signature("iiiiii"),
    "path_remove_directory": Signature("iii"),
    "path_rename": Signature("iiiiii"),
    "path_symlink": Signature("iiiii"),
    "path_unlink_file": Signature("iii"),
    "proc_raise": Signature("i"),
    "sock_accept": Signature("iii"),
    "sock_recv": Signature("iiiiii"),
    "sock_send": Signature("iiiii"),
    "sock_shutdown": Signature("ii"),
}
"""What links, so that a language's runtime starts, and answers NOSYS: a filter has no files and no sockets."""

WASI_IMPORTS: Final[dict[str, Signature]] = WASI_SERVED | WASI_ABSENT
"""Every function of preview 1; the host in Envoy links them too."""

UNRESTRICTED: Final = frozenset({"proxy_log", "proxy_get_log_level", "proxy_get_current_time_nanoseconds"}) | frozenset(
    {"pthread_equal", "emscripten_notify_memory_growth", *WASI_IMPORTS}
)
"""Imports that may be called while the module initialises or allocates; any other call there ends the machine."""

START: Final[dict[str, Signature]] = {
    "_initialize": Signature("", ""),
    "_start": Signature("", ""),
}
"""Exports that start a module, before any other is called."""

MAIN: Final[dict[str, tuple[Signature, tuple[int, ...]]]] = {
    "main": (Signature("ii"), (0, 0)),
    "__main_void": (Signature(""), ()),
}
"""What is called after `_initialize`, with these arguments: the first that there is in that form."""

CALLBACKS: Final[dict[str, Signature]] = {
    "malloc": Signature("i"),
    "proxy_on_memory_allocate": Signature("i"),
    "proxy_on_context_create": Signature("ii", ""),
    "proxy_on_vm_start": Signature("ii"),
    "proxy_on_configure": Signature("ii"),
    "proxy_on_tick": Signature("i", ""),
    "proxy_on_new_connection": Signature("i"),
    "proxy_on_downstream_data": Signature("iii"),
    "proxy_on_upstream_data": Signature("iii"),
    "proxy_on_downstream_connection_close": Signature("ii", ""),
    "proxy_on_upstream_connection_close": Signature("ii", ""),
    "proxy_on_request_headers": Signature("iii"),
    "proxy_on_request_body": Signature("iii"),
    "proxy_on_request_trailers": Signature("ii"),
    "proxy_on_response_headers": Signature("iii"),
    "proxy_on_response_body": Signature("iii"),
    "proxy_on_response_trailers": Signature("ii"),
    "proxy_on_http_call_response": Signature("iiiii", ""),
    "proxy_on_grpc_receive_initial_metadata": Signature("iii", ""),
    "proxy_on_grpc_receive": Signature("iii", ""),
    "proxy_on_grpc_receive_trailing_metadata": Signature("iii", ""),
    "proxy_on_grpc_close": Signature("iii", ""),
    "proxy_on_queue_ready": Signature("ii", ""),
    "proxy_on_foreign_function": Signature("iii", ""),
    "proxy_on_done": Signature("i"),
    "proxy_on_log": Signature("i", ""),
    "proxy_on_delete": Signature("i", ""),
}
"""Exports that this host calls, with the signature it calls them by."""

CALLBACKS_0_1_0: Final[dict[str, Signature]] = {
    "proxy_on_request_headers": Signature("ii"),
    "proxy_on_response_headers": Signature("ii"),
}
"""Where 0.1.0 differs."""
