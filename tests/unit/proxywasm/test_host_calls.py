"""Every host call of the ABI, made by a guest: what it does, and the status of each way it can be refused."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from tests.unit.proxywasm.puppet import Puppet, puppet_module
from xds.proxywasm.abi import Buffer, HeaderMap, LogLevel, MetricType, Status, StreamType
from xds.proxywasm.context_calls import MOST_FILTER_STATE
from xds.proxywasm.machine import Host
from xds.proxywasm.outbound import HttpCall, HttpRequest
from xds.proxywasm.pairs import encode
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.sharing import MOST_ENTRIES
from xds.proxywasm.signatures import WASI_ABSENT

REQUEST = [(b":method", b"POST"), (b":path", b"/a?b=c"), (b":authority", b"shop"), (b"x", b"1"), (b"X", b"2")]
BAD = Status.BAD_ARGUMENT
OK = Status.OK


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime() as shared:
        yield shared


def accept(request: HttpRequest, call: HttpCall) -> None:
    """An upstream that never answers."""


@pytest.fixture
def plugin(runtime: Runtime) -> Plugin:
    host = Host(
        now_ns=lambda: 1_234_567_890,
        random=lambda size: b"r" * size,
        http=accept,
        foreign={"shout": lambda data: data.upper() or None},
        vm_id=b"vm",
        vm_configuration=b"vmconf",
        environment={"A": "1", "BC": "23"},
        level=LogLevel.WARN,
    )
    return Plugin(puppet_module(), b"conf", runtime=runtime, host=host, settings=Settings(name="p", root_id="r"))


@pytest.fixture
def root(plugin: Plugin) -> Puppet:
    return Puppet(plugin)


@pytest.fixture
def stream(plugin: Plugin) -> Puppet:
    made = plugin.stream()
    made.request_headers(REQUEST)
    return Puppet(plugin, made.id)


def test_the_first_value_of_a_header_is_found_in_any_case(stream: Puppet) -> None:
    assert stream.call("proxy_get_header_map_value", HeaderMap.REQUEST_HEADERS, b"X") == OK
    assert stream.given() == b"1"


def test_a_header_that_is_missing_and_a_map_of_another_phase_differ(stream: Puppet) -> None:
    assert stream.call("proxy_get_header_map_value", HeaderMap.REQUEST_HEADERS, b"y") == Status.NOT_FOUND
    assert stream.call("proxy_get_header_map_value", HeaderMap.RESPONSE_HEADERS, b"y") == BAD
    assert stream.call("proxy_get_header_map_value", 99, b"y") == BAD
    stream.state.logging = True
    assert stream.call("proxy_get_header_map_value", HeaderMap.RESPONSE_HEADERS, b"y") == Status.NOT_FOUND


def test_headers_are_added_replaced_removed_and_the_route_is_chosen_again(stream: Puppet) -> None:
    assert not stream.state.route_cleared
    assert stream.do("proxy_add_header_map_value", 0, b"New", b"v") == OK
    assert stream.do("proxy_replace_header_map_value", 0, b"x", b"3") == OK
    assert stream.do("proxy_remove_header_map_value", 0, b":path") == OK
    assert stream.do("proxy_remove_header_map_value", 0, b"absent") == OK
    assert stream.state.maps[HeaderMap.REQUEST_HEADERS] == [REQUEST[0], REQUEST[2], (b"x", b"3"), (b"new", b"v")]
    assert stream.state.route_cleared


def test_a_whole_map_is_read_and_replaced_and_broken_pairs_change_nothing(stream: Puppet) -> None:
    """Envoy takes broken pairs for none and empties the map; here the guest is told."""
    assert stream.call("proxy_get_header_map_pairs", 0) == OK
    assert stream.given() == encode([(name.lower(), value) for name, value in REQUEST])
    assert stream.do("proxy_set_header_map_pairs", 0, encode([(b"A", b"b")])) == OK
    assert stream.do("proxy_set_header_map_pairs", 0, b"\1\0\0\0") == BAD
    assert stream.state.maps[HeaderMap.REQUEST_HEADERS] == [(b"a", b"b")]
    assert stream.do("proxy_get_header_map_size", 0, stream.out) == OK
    assert stream.u32() == 2


def test_nothing_is_written_to_what_may_only_be_read(stream: Puppet) -> None:
    stream.state.logging = True
    assert stream.do("proxy_add_header_map_value", 0, b"a", b"b") == BAD
    stream.state.logging = False
    assert stream.do("proxy_add_header_map_value", HeaderMap.CALL_HEADERS, b"a", b"b") == BAD


def test_a_map_is_bounded(stream: Puppet) -> None:
    assert stream.do("proxy_add_header_map_value", 0, b"a", bytes(1 << 20)) == BAD
    while stream.do("proxy_add_header_map_value", 0, b"a", b"") == OK:
        assert len(stream.state.maps[HeaderMap.REQUEST_HEADERS]) <= 1024


def test_a_buffer_is_read_in_parts_and_past_its_end_there_is_nothing(stream: Puppet) -> None:
    stream.state.buffers[Buffer.REQUEST_BODY] = bytearray(b"hello")
    assert stream.call("proxy_get_buffer_bytes", Buffer.REQUEST_BODY, 1, 3) == OK
    assert stream.given() == b"ell"
    assert stream.call("proxy_get_buffer_bytes", Buffer.REQUEST_BODY, 9, 3) == OK
    assert stream.given() == b""
    assert stream.call("proxy_get_buffer_bytes", Buffer.REQUEST_BODY, 0, -1) == OK
    assert stream.call("proxy_get_buffer_bytes", Buffer.REQUEST_BODY, 1, -1) == BAD
    assert stream.call("proxy_get_buffer_bytes", Buffer.RESPONSE_BODY, 0, 1) == Status.NOT_FOUND
    assert stream.call("proxy_get_buffer_status", Buffer.REQUEST_BODY) == OK
    assert stream.u32() == 5


@pytest.mark.parametrize(
    ("start", "size", "left"),
    [(0, 0, b"<>hello"), (5, 0, b"hello<>"), (99, 7, b"hello<>"), (0, 5, b"<>"), (1, 3, b"h<>o"), (3, 99, b"hel<>"),
     (0, -1, b"<>")],
)  # fmt: skip
def test_a_buffer_is_prepended_appended_and_replaced(stream: Puppet, start: int, size: int, left: bytes) -> None:
    content = stream.state.buffers[Buffer.REQUEST_BODY] = bytearray(b"hello")
    assert stream.do("proxy_set_buffer_bytes", Buffer.REQUEST_BODY, start, size, b"<>") == OK
    assert content == left


def test_a_buffer_that_is_absent_read_only_or_full_is_not_written(root: Puppet, stream: Puppet) -> None:
    assert stream.do("proxy_set_buffer_bytes", Buffer.REQUEST_BODY, 0, 0, b"x") == Status.NOT_FOUND
    assert root.do("proxy_set_buffer_bytes", Buffer.VM_CONFIGURATION, 0, 0, b"x") == BAD
    stream.state.buffers[Buffer.REQUEST_BODY] = bytearray(1 << 20)
    assert stream.do("proxy_set_buffer_bytes", Buffer.REQUEST_BODY, 0, 0, bytes((1 << 20) + 1)) == BAD


def test_configurations_are_read_where_they_belong(root: Puppet) -> None:
    assert root.call("proxy_get_buffer_bytes", Buffer.VM_CONFIGURATION, 0, 99) == OK
    assert root.given() == b"vmconf"
    assert root.call("proxy_get_buffer_bytes", Buffer.PLUGIN_CONFIGURATION, 0, 99) == Status.NOT_FOUND


def test_properties_are_the_proxys_the_streams_and_what_the_guest_set(root: Puppet, stream: Puppet) -> None:
    for path, value in [(b"plugin_root_id", b"r"), (b"plugin_name", b"p"), (b"plugin_vm_id", b"vm")]:
        assert root.call("proxy_get_property", path) == OK
        assert root.given() == value
    for path, value in [(b"request\0path", b"/a?b=c"), (b"request\0url_path", b"/a"), (b"request\0query", b"b=c"),
                        (b"request\0headers\0x", b"1"), (b"request\0host", b"shop")]:  # fmt: skip
        assert stream.call("proxy_get_property", path) == OK
        assert stream.given() == value
    assert stream.call("proxy_get_property", b"response\0code") == Status.NOT_FOUND
    assert stream.do("proxy_set_property", b"mine", b"7") == OK
    assert stream.call("proxy_get_property", b"mine") == OK
    assert stream.given() == b"7"
    assert stream.do("proxy_set_property", b"plugin_name", b"other") == OK
    assert stream.call("proxy_get_property", b"plugin_name") == OK
    assert stream.given() == b"p"


def test_what_a_guest_sets_is_bounded(stream: Puppet) -> None:
    for number in range(MOST_FILTER_STATE):
        assert stream.do("proxy_set_property", b"%d" % number, b"") == OK
    assert stream.do("proxy_set_property", b"more", b"") == Status.INTERNAL_FAILURE


def test_shared_data_is_compared_and_swapped(root: Puppet) -> None:
    assert root.do("proxy_get_shared_data", b"k", root.out, root.out + 4, root.out + 8) == Status.NOT_FOUND
    assert root.do("proxy_set_shared_data", b"k", b"1", 77) == OK, "a key that is absent takes any number"
    assert root.do("proxy_get_shared_data", b"k", root.out, root.out + 4, root.out + 8) == OK
    assert (root.given(), cas := root.u32(8)) == (b"1", cas)
    assert root.do("proxy_set_shared_data", b"k", b"2", cas + 1) == Status.CAS_MISMATCH
    assert root.do("proxy_set_shared_data", b"k", b"2", cas) == OK
    assert root.do("proxy_set_shared_data", b"k", b"3", cas) == Status.CAS_MISMATCH
    assert root.do("proxy_set_shared_data", b"k", b"", 0) == OK
    assert root.do("proxy_get_shared_data", b"k", root.out, root.out + 4, root.out + 8) == OK
    assert root.given() == b""


def test_shared_data_is_bounded_and_a_key_may_still_change_then(root: Puppet) -> None:
    for number in range(MOST_ENTRIES):
        root.plugin.shared.put(b"vm", b"%d" % number, b"", 0)
    assert root.do("proxy_set_shared_data", b"more", b"", 0) == Status.INTERNAL_FAILURE
    assert root.do("proxy_set_shared_data", b"0", b"x", 0) == OK


def test_a_queue_is_made_found_filled_and_emptied(root: Puppet) -> None:
    assert root.do("proxy_resolve_shared_queue", b"vm", b"q", root.out) == Status.NOT_FOUND
    assert root.do("proxy_register_shared_queue", b"q", root.out) == OK
    number = root.u32()
    assert root.do("proxy_register_shared_queue", b"q", root.out) == OK
    assert root.u32() == number
    assert root.do("proxy_resolve_shared_queue", b"vm", b"q", root.out) == OK
    assert root.do("proxy_resolve_shared_queue", b"other", b"q", root.out) == Status.NOT_FOUND
    assert root.call("proxy_dequeue_shared_queue", number) == Status.EMPTY
    assert root.do("proxy_enqueue_shared_queue", number, b"m1") == OK
    assert root.do("proxy_enqueue_shared_queue", number, b"m2") == OK
    assert root.call("proxy_dequeue_shared_queue", number) == OK
    assert root.given() == b"m1"
    for name in ("proxy_dequeue_shared_queue", "proxy_enqueue_shared_queue"):
        assert root.call(name, 99) == Status.NOT_FOUND
    while root.do("proxy_enqueue_shared_queue", number, b"m") == OK:
        pass
    assert len(root.plugin.shared.queue(number).messages) == MOST_ENTRIES  # type: ignore[union-attr]  # just filled


def test_metrics_count_measure_and_are_shared_by_name(root: Puppet) -> None:
    numbers = {}
    for kind in MetricType:
        assert root.do("proxy_define_metric", kind, b"m%d" % kind, root.out) == OK
        numbers[kind] = root.u32()
        assert root.u32() & 3 == kind, "the two lowest bits tell the kind"
    counter, gauge, histogram = numbers.values()
    assert root.do("proxy_increment_metric", counter, 2) == OK
    assert root.do("proxy_increment_metric", counter, 0) == BAD
    assert root.do("proxy_increment_metric", counter, -1) == BAD
    assert root.do("proxy_record_metric", counter, 40) == OK
    assert root.do("proxy_get_metric", counter, root.out) == OK
    assert root.u64() == 42, "recording adds to a counter, as in Envoy"
    assert root.do("proxy_increment_metric", gauge, -5) == OK
    assert root.do("proxy_record_metric", gauge, 7) == OK
    assert root.do("proxy_increment_metric", histogram, 1) == BAD
    assert root.do("proxy_record_metric", histogram, 9) == OK
    assert root.do("proxy_get_metric", histogram, root.out) == BAD
    assert root.do("proxy_define_metric", 3, b"m", root.out) == BAD
    for name in ("proxy_increment_metric", "proxy_record_metric", "proxy_get_metric"):
        assert root.do(name, 4096 << 2, 1) == Status.NOT_FOUND
    assert root.do("proxy_define_metric", MetricType.COUNTER, b"m0", root.out) == OK
    assert root.do("proxy_get_metric", root.u32(), root.out) == OK
    assert root.u64() == 42


def test_foreign_functions_are_the_hosts_and_the_built_in_ones(root: Puppet, stream: Puppet) -> None:
    assert root.call("proxy_call_foreign_function", b"fly", b"") == Status.NOT_FOUND
    assert root.call("proxy_call_foreign_function", b"shout", b"hey") == OK
    assert root.given() == b"HEY"
    assert root.call("proxy_call_foreign_function", b"shout", b"") == BAD
    assert root.do("proxy_call_foreign_function", b"shout", b"hey", 0, 0) == OK, "the result may be unwanted"
    assert root.call("proxy_call_foreign_function", b"compress", b"a" * 999) == OK
    assert root.call("proxy_call_foreign_function", b"uncompress", root.given()) == OK
    assert root.given() == b"a" * 999
    assert root.call("proxy_call_foreign_function", b"uncompress", b"junk") == BAD
    assert stream.call("proxy_call_foreign_function", b"clear_route_cache", b"") == OK
    assert stream.state.route_cleared


def test_a_small_message_that_stands_for_gigabytes_is_not_unpacked(root: Puppet) -> None:
    assert root.call("proxy_call_foreign_function", b"uncompress", zlib.compress(bytes(32 << 20))) == BAD


def test_the_effective_context_must_exist(root: Puppet, stream: Puppet) -> None:
    assert root.do("proxy_set_effective_context", 4711) == BAD
    assert root.do("proxy_set_effective_context", stream.context) == OK


def test_streams_are_continued_and_closed_only_where_there_are_any(root: Puppet, stream: Puppet) -> None:
    for name in ("proxy_continue_stream", "proxy_close_stream"):
        assert root.do(name, StreamType.REQUEST) == BAD
        assert stream.do(name, 4) == BAD
        assert stream.do(name, StreamType.REQUEST) == OK
    assert root.do("proxy_done") == Status.NOT_FOUND


def test_a_local_reply_needs_a_stream_and_whole_pairs(root: Puppet, stream: Puppet) -> None:
    reply = "proxy_send_local_response"
    assert root.do(reply, 503, b"", b"", b"", -1) == BAD
    assert stream.do(reply, 503, b"", b"", b"\1", -1) == BAD
    assert stream.do(reply, 503, b"why", b"body", encode([(b"A", b"b")]), -1) == OK


def test_calls_need_an_upstream_and_the_three_headers_of_a_request(root: Puppet) -> None:
    whole = encode([(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")])
    assert root.do("proxy_http_call", b"up", encode([(b":path", b"/")]), b"", b"", 1, root.out) == BAD
    assert root.do("proxy_http_call", b"up", b"\1", b"", b"", 1, root.out) == BAD
    assert root.do("proxy_http_call", b"up", whole, bytes((1 << 20) + 1), b"", 1, root.out) == BAD
    assert root.do("proxy_http_call", b"up", whole, b"", b"", 1, root.out) == OK
    assert root.u32() & 3 == 0
    assert root.do("proxy_grpc_call", b"up", b"s", b"m", b"", b"", 1, root.out) == BAD, "no upstream of that name"
    assert root.do("proxy_grpc_stream", b"up", b"s", b"m", b"\1", root.out) == BAD
    assert root.do("proxy_grpc_send", 4, b"m", 1) == Status.NOT_FOUND
    assert root.do("proxy_grpc_cancel", 4) == Status.NOT_FOUND
    assert root.do("proxy_grpc_close", 4) == Status.NOT_FOUND
    while root.do("proxy_http_call", b"up", whole, b"", b"", 1, root.out) == OK:
        pass
    assert len(root.plugin.machine.deadlines) == 256


def test_logs_clocks_and_chance_are_what_the_host_was_given(root: Puppet) -> None:
    assert root.do("proxy_log", LogLevel.INFO, b"hi") == OK
    assert root.plugin.log[-1].text == "hi"
    assert root.do("proxy_log", 6, b"hi") == BAD
    assert root.do("proxy_get_log_level", root.out) == OK
    assert root.u32() == LogLevel.WARN
    assert root.do("proxy_get_current_time_nanoseconds", root.out) == OK
    assert root.u64() == 1_234_567_890
    assert root.do("clock_time_get", 1, 0, root.out) == 0
    assert root.u64() == 1_234_567_890
    assert root.do("clock_time_get", 2, 0, root.out) == 58
    assert root.do("random_get", root.out, 4) == 0
    assert root.memory.read(root.out, 4) == b"rrrr"
    assert root.do("random_get", root.out, 65_537) == 28


def test_wasi_shows_the_environment_and_logs_what_is_printed(root: Puppet) -> None:
    assert root.do("environ_sizes_get", root.out, root.out + 4) == 0
    assert (root.u32(), root.u32(4)) == (2, 10)
    assert root.do("environ_get", root.out, root.out + 64) == 0
    assert root.memory.read(root.u32(4), 6) == b"BC=23\0"
    vector = (2048).to_bytes(4, "little") + (3).to_bytes(4, "little")
    root.memory.write(2048, b"hi\n")
    for fd, level in ((1, LogLevel.INFO), (2, LogLevel.ERROR)):
        root.memory.write(root.out, vector)
        assert root.do("fd_write", fd, root.out, 1, root.out + 8) == 0
        assert (root.plugin.log[-1].level, root.plugin.log[-1].text, root.u32(8)) == (level, "hi", 3)
    assert root.do("fd_write", 3, root.out, 1, root.out + 8) == 8


@pytest.mark.parametrize("name", sorted(WASI_ABSENT))
def test_wasi_has_no_files_and_no_sockets_under_either_name(root: Puppet, name: str) -> None:
    for spelling in (name, f"unstable_{name}"):
        assert root.do(spelling, *[0] * len(WASI_ABSENT[name].parameters)) == 52


def test_addresses_outside_the_guests_memory_are_refused_in_each_worlds_own_number(root: Puppet) -> None:
    end = root.memory.size()
    assert root.do("proxy_get_current_time_nanoseconds", end - 7) == Status.INVALID_MEMORY_ACCESS
    assert root.do("proxy_log", 0, end - 1, 2) == Status.INVALID_MEMORY_ACCESS
    assert root.do("proxy_log", 0, 0, -1) == Status.INVALID_MEMORY_ACCESS
    assert root.do("clock_time_get", 0, 0, end - 7) == 21
    assert root.do("proxy_get_current_time_nanoseconds", end - 8) == OK


def test_a_guest_without_memory_to_give_is_told_so_and_keeps_its_message(runtime: Runtime) -> None:
    """1.6 a: an allocator that answers 0; an empty value needs none."""
    plugin = Plugin(puppet_module(malloc="(i32.const 0)"), runtime=runtime)
    root = Puppet(plugin)
    assert root.call("proxy_get_property", b"plugin_name") == Status.INVALID_MEMORY_ACCESS
    assert root.call("proxy_get_property", b"plugin_root_id") == OK
    assert (root.u32(), root.u32(4)) == (0, 0)
    root.do("proxy_register_shared_queue", b"q", root.out)
    number = root.u32()
    root.do("proxy_enqueue_shared_queue", number, b"m")
    assert root.call("proxy_dequeue_shared_queue", number) == Status.INVALID_MEMORY_ACCESS
    assert list(plugin.shared.queue(number).messages) == [b"m"]  # type: ignore[union-attr]  # registered above


def test_abi_0_1_0_has_its_own_four_calls(runtime: Runtime) -> None:
    plugin = Plugin(puppet_module("0.1.0"), b"conf", runtime=runtime, host=Host(vm_configuration=b"vm"))
    made = plugin.stream()
    assert made.request_headers(REQUEST).paused
    stream = Puppet(plugin, made.id)
    assert stream.call("proxy_get_configuration") == OK
    assert stream.given() == b"vm"
    assert stream.do("proxy_clear_route_cache") == OK
    assert made.route_cleared
    assert stream.do("proxy_continue_request") == OK
    assert made.request.sent.headers is not None
    assert stream.do("proxy_continue_response") == OK
