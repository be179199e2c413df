"""How a stream passes a filter: order of callbacks, what pauses, what is held, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wasmtime

from tests.harness.repo import ROOT
from tests.unit.proxywasm.puppet import Puppet, puppet_module
from xds.proxywasm.abi import StreamType
from xds.proxywasm.pairs import Pairs, encode
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.stream import Stream

ORDER = bytes(wasmtime.wat2wasm((ROOT / "tests/modules/order.wat").read_text()))
REQUEST = [(b":method", b"GET"), (b":path", b"/")]
RESPONSE = [(b":status", b"200")]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime() as shared:
        yield shared


def said(plugin: Plugin) -> str:
    return " ".join(line.text for line in plugin.log)


def paused(runtime: Runtime, *, sees_body: bool = False) -> tuple[Stream, Puppet]:
    """A stream whose filter pauses everything, and the puppet that may go on."""
    plugin = Plugin(puppet_module(), runtime=runtime, settings=Settings(sees_body=sees_body))
    stream = plugin.stream()
    return stream, Puppet(plugin, stream.id)


def sent(stream: Stream) -> Pairs | None:
    """The request's headers, once they have left."""
    return stream.request.sent.headers


def go_on(puppet: Puppet, kind: StreamType = StreamType.REQUEST) -> None:
    """Continues as a guest's callback would: the request is deferred until it has returned."""
    assert puppet.do("proxy_continue_stream", kind) == 0


def test_a_module_starts_and_streams_begin_and_end_in_envoys_order(runtime: Runtime) -> None:
    """1.6 f: log, done, delete, where the specification has done first."""
    plugin = Plugin(ORDER, runtime=runtime)
    assert said(plugin) == "M0 C1 S1 F1"
    plugin.log.clear()
    with plugin.stream() as stream:
        stream.request_headers(REQUEST, end=True)
        stream.response_headers(RESPONSE, end=True)
    assert said(plugin) == "C2 Q2 R2 L2 D2 X2"


def test_a_stream_that_an_earlier_filter_answered_is_created_only_to_be_logged(runtime: Runtime) -> None:
    plugin = Plugin(ORDER, runtime=runtime)
    plugin.log.clear()
    plugin.stream().finish()
    assert said(plugin) == "C2 L2 D2 X2"


def test_numbers_of_contexts_are_never_used_twice(runtime: Runtime) -> None:
    plugin = Plugin(ORDER, runtime=runtime)
    ids = []
    for _ in range(5):
        with plugin.stream() as stream:
            ids.append(stream.id)
    assert ids == [2, 3, 4, 5, 6]
    assert list(plugin.machine.contexts) == [plugin.root]


def test_two_roots_live_in_one_machine_while_one_takes_over(runtime: Runtime) -> None:
    old = Plugin(ORDER, b"old", runtime=runtime)
    new = old.beside(b"new")
    old.log.clear()
    new.stream().finish()
    assert old.retire()
    old_root, new_root = old.root, new.root
    assert said(old) == f"C3 L3 D3 X3 D{old_root} X{old_root}"
    assert new_root in new.machine.contexts


def test_paused_headers_hold_everything_behind_them(runtime: Runtime) -> None:
    """1.6 e: a pause on headers stops the whole direction."""
    stream, puppet = paused(runtime)
    assert stream.request_headers(REQUEST).paused
    assert stream.request_body(b"body", end=True).paused
    assert sent(stream) is None
    assert not puppet.state.buffers
    go_on(puppet)
    assert sent(stream) == REQUEST
    assert puppet.state.buffers, "the body is shown only now, and the filter pauses on it again"
    go_on(puppet)
    assert stream.request.sent.body == b"body"
    assert stream.request.sent.ended
    assert not stream.outcome(stream.request).paused


def test_a_filter_may_be_let_see_the_body_behind_paused_headers(runtime: Runtime) -> None:
    """Envoy's `allow_on_headers_stop_iteration`."""
    stream, puppet = paused(runtime, sees_body=True)
    stream.request_headers(REQUEST)
    stream.request_body(b"ab")
    stream.request_body(b"cd", end=True)
    assert list(puppet.state.buffers.values()) == [bytearray(b"abcd")]
    assert sent(stream) is None
    go_on(puppet)
    assert (sent(stream), bytes(stream.request.sent.body)) == (REQUEST, b"abcd")


def test_trailers_release_the_body_that_was_held_before_them(runtime: Runtime) -> None:
    stream, puppet = paused(runtime)
    stream.response_headers(RESPONSE)
    go_on(puppet, StreamType.RESPONSE)
    assert stream.response_body(b"x").paused
    outcome = stream.response_trailers([(b"T", b"1")])
    assert outcome.paused
    go_on(puppet, StreamType.RESPONSE)
    assert stream.response.sent.body == b"x"
    assert stream.response.sent.trailers == [(b"t", b"1")]
    assert stream.response.sent.ended


@pytest.mark.parametrize("behind_headers", [True, False])
def test_a_body_that_is_too_large_to_hold_is_413(runtime: Runtime, behind_headers: bool) -> None:
    stream, puppet = paused(runtime)
    stream.request_headers(REQUEST)
    if not behind_headers:
        go_on(puppet)
    stream.request_body(bytes(1 << 20))
    outcome = stream.request_body(b"x")
    assert outcome.reply is not None
    assert outcome.reply.status == 413


def test_a_response_that_is_too_large_to_hold_is_500(runtime: Runtime) -> None:
    stream, _ = paused(runtime)
    stream.response_headers(RESPONSE)
    outcome = stream.response_body(bytes((1 << 20) + 1))
    assert outcome.reply is not None
    assert outcome.headers[0] == (b":status", b"500")


def test_a_reply_after_the_response_began_takes_its_place_without_callbacks(runtime: Runtime) -> None:
    stream, puppet = paused(runtime)
    stream.response_headers(RESPONSE)
    assert puppet.do("proxy_send_local_response", 418, b"", b"tea", encode([(b"X", b"y")]), -1) == 0
    assert stream.response.sent.headers == [
        (b":status", b"418"), (b"x", b"y"), (b"content-length", b"3"), (b"content-type", b"text/plain")
    ]  # fmt: skip
    assert stream.response.sent.body == b"tea"


def test_a_reply_after_headers_have_left_resets_the_stream(runtime: Runtime) -> None:
    stream, puppet = paused(runtime)
    stream.response_headers(RESPONSE)
    go_on(puppet, StreamType.RESPONSE)
    puppet.do("proxy_send_local_response", 500, b"", b"", b"", -1)
    assert stream.was_reset
    assert stream.local_reply is None


@pytest.mark.parametrize(("given", "status"), [(7, b"7"), (-1, b"14")])
def test_a_client_that_speaks_grpc_is_answered_in_grpc(runtime: Runtime, given: int, status: bytes) -> None:
    stream, puppet = paused(runtime)
    stream.request_headers([*REQUEST, (b"content-type", b"application/grpc+proto")])
    puppet.do("proxy_send_local_response", 503, b"", b"50 % gone", b"", given)
    go_on(puppet, StreamType.RESPONSE)
    headers = dict(stream.response.sent.headers or [])
    assert headers[b":status"] == b"200"
    assert headers[b"grpc-status"] == status
    assert headers[b"grpc-message"] == b"50 %25 gone"


def test_closing_a_stream_resets_it_without_an_answer(runtime: Runtime) -> None:
    stream, puppet = paused(runtime)
    stream.request_headers(REQUEST)
    puppet.do("proxy_close_stream", StreamType.REQUEST)
    outcome = stream.outcome(stream.request)
    assert (outcome.reset, outcome.reply, outcome.paused) == (True, None, False)


def test_what_is_known_only_at_the_end_is_absent_before_it(runtime: Runtime) -> None:
    """1.7: a code, a duration, and what the test sets for the phase."""
    plugin = Plugin(ORDER, runtime=runtime)
    stream = plugin.stream({"upstream.request_attempt_count": 2})
    find = stream.context.find_property
    stream.request_headers(REQUEST)
    stream.request_body(b"abc", end=True)
    stream.response_headers([(b":status", b"404")], end=True)
    assert [find(path) for path in (b"response\0code", b"request\0size", b"response\0flags")] == [None, None, None]
    assert find(b"upstream\0request_attempt_count") == (2).to_bytes(8, "little")
    stream.finish({"response.flags": 4})
    assert find(b"response\0code") == (404).to_bytes(8, "little")
    assert find(b"request\0size") == (3).to_bytes(8, "little")
    assert find(b"response\0flags") == (4).to_bytes(8, "little")
    assert find(b"request\0duration") == bytes(8)
