"""Filters that others' SDKs build run unchanged: Rust, Go and AssemblyScript, each as its users write them."""

from __future__ import annotations

import pytest

from tests.feature.proxywasm.conftest import SECOND, Starter, World
from xds.proxywasm.admission import check
from xds.proxywasm.failures import Refused
from xds.proxywasm.plugin import Plugin

# A fresh clone builds the modules within the first of these tests.
pytestmark = pytest.mark.timeout(600)

REQUEST = [(b":method", b"GET"), (b":path", b"/cart"), (b":authority", b"shop"), (b"x-user", b"u"), (b"x-secret", b"s")]
RESPONSE = [(b":status", b"200"), (b"content-type", b"text/html")]


def logged(plugin: Plugin) -> list[str]:
    return [line.text for line in plugin.log]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("rust/tags", "0.2.1"), ("rust/bodies", "0.2.1"), ("rust/gate", "0.2.1"), ("rust/meter", "0.2.1"),
        ("rust/tcp", "0.2.1"), ("rust/remote", "0.2.1"),
        ("go/tags", "0.2.0"), ("go/gate", "0.2.0"), ("go/meter", "0.2.0"),
        ("assemblyscript/tags", "0.2.0"), ("assemblyscript/gate", "0.2.0"),
    ],
)  # fmt: skip
def test_each_of_them_starts_and_says_its_abi(started: Starter, name: str, version: str) -> None:
    assert started(name, b"blue").version == version


@pytest.mark.parametrize("name", ["rust/tags", "go/tags"])
def test_a_filter_refuses_its_configuration_and_is_refused(started: Starter, name: str) -> None:
    with pytest.raises(Refused, match="the filter refuses its configuration"):
        started(name, b"")


@pytest.mark.parametrize("name", ["rust/tags", "go/tags"])
def test_headers_carry_the_configuration_in_both_directions(started: Starter, name: str) -> None:
    plugin = started(name, b"blue")
    with plugin.stream() as stream:
        request = stream.request_headers(REQUEST, end=True)
        response = stream.response_headers(RESPONSE, end=True)
    assert (b"x-tag", b"blue") in request.headers
    assert response.headers == [*RESPONSE, (b"x-tag", b"blue")]
    assert stream.route_cleared


def test_rust_removes_replaces_and_logs_a_property_that_exists_only_then(started: Starter) -> None:
    plugin = started("rust/tags", b"blue")
    with plugin.stream() as stream:
        left = dict(stream.request_headers(REQUEST, end=True).headers)
        stream.response_headers([(b":status", b"404")], end=True)
    assert b"x-secret" not in left
    assert left[b"x-end"] == b"yes"
    assert logged(plugin) == ["/cart Some(404)"]


def test_assemblyscript_adds_replaces_and_removes(started: Starter) -> None:
    plugin = started("assemblyscript/tags")
    with plugin.stream() as stream:
        left = dict(stream.request_headers(REQUEST, end=True).headers)
        response = stream.response_headers([*RESPONSE, (b"x-tag", b"mine")], end=True)
    assert left[b"x-tag"] == b"u's"
    assert b"x-secret" not in left
    assert (b"x-tag", b"seen") in response.headers
    assert "over" in logged(plugin)


def test_go_holds_a_body_until_it_is_whole_and_adds_to_it(started: Starter) -> None:
    plugin = started("go/tags", b"blue")
    with plugin.stream() as stream:
        stream.request_headers(REQUEST)
        first = stream.request_body(b"abc")
        assert first.paused
        assert not first.message.body
        last = stream.request_body(b"def", end=True)
        assert last.message.body == b"abcdef!"
        assert last.message.ended
    assert logged(plugin) == ["done with /cart"]


def test_rust_rewrites_a_held_body_a_passing_one_and_trailers(started: Starter) -> None:
    with started("rust/bodies").stream() as stream:
        headers = stream.request_headers([*REQUEST, (b"content-length", b"6")])
        assert (b"content-length", b"6") not in headers.headers
        assert stream.request_body(b"abc").paused
        assert stream.request_body(b"def", end=True).message.body == b"ABCDEF"
        stream.response_headers(RESPONSE)
        assert stream.response_body(b"secret one").message.body == b"*** one"
        assert stream.response_body(b", open two").message.body == b"*** one, open two"
        assert stream.response_trailers([(b"a", b"1")]).message.trailers == [(b"a", b"1"), (b"x-trailers", b"1")]


@pytest.mark.parametrize("name", ["rust/gate", "go/gate", "assemblyscript/gate"])
def test_a_request_waits_for_another_services_word_and_goes_on(started: Starter, world: World, name: str) -> None:
    with started(name).stream() as stream:
        assert stream.request_headers(REQUEST, end=True).paused
        ((asked, call),) = world.http
        assert (asked.upstream, asked.timeout_ms) == (b"auth", 250)
        assert (b":path", b"/may") in asked.headers
        call.answer([(b":status", b"200")])
        outcome = stream.outcome(stream.request)
        assert not outcome.paused
        assert (b"x-gate", b"open") in outcome.headers


@pytest.mark.parametrize("name", ["rust/gate", "go/gate", "assemblyscript/gate"])
def test_a_request_is_answered_by_the_filter_when_the_word_is_no(started: Starter, world: World, name: str) -> None:
    with started(name).stream() as stream:
        stream.request_headers(REQUEST, end=True)
        world.http[0][1].answer([(b":status", b"401")], b"no")
        assert stream.local_reply is not None
        assert stream.local_reply.status == 403
        assert stream.response.sent.body == b"no"
        assert stream.request.sent.headers is None


def test_the_answer_of_a_filter_passes_its_own_response_callbacks(started: Starter, world: World) -> None:
    """1.6 d: a filter that counts responses counts its own, unless it takes care."""
    with started("rust/gate").stream() as stream:
        stream.request_headers(REQUEST, end=True)
        world.http[0][1].answer([(b":status", b"401")], b"no")
        assert (b"x-seen", b"yes") in (stream.response.sent.headers or [])


def test_a_call_without_an_answer_ends_at_its_time_limit(started: Starter, world: World) -> None:
    plugin = started("rust/gate")
    with plugin.stream() as stream:
        stream.request_headers(REQUEST, end=True)
        assert plugin.due_ns == world.now_ns + SECOND // 4
        world.now_ns += SECOND // 4
        assert plugin.run_due() == 1
        assert stream.local_reply is not None
        assert stream.local_reply.status == 504
        world.http[0][1].answer([(b":status", b"200")])
        assert stream.local_reply.status == 504, "an answer that is late is no answer"


@pytest.mark.parametrize(
    ("name", "metric", "words"),
    [("rust/meter", "meter_requests", None), ("go/meter", "meter_requests_total", "4 by data, 4 by metric")],
)
def test_two_workers_share_data_and_metrics(
    started: Starter, world: World, name: str, metric: str, words: str | None
) -> None:
    workers = [started(name), started(name)]
    for worker in (*workers, *workers):
        worker.on_request(REQUEST)
    world.now_ns += SECOND
    for worker in workers:
        assert worker.due_ns == world.now_ns
        worker.run_due()
    assert world.shared.metric(metric) == 4
    assert words is None or logged(workers[1])[-1] == words


def test_a_queue_wakes_the_worker_that_registered_it_last(started: Starter, world: World) -> None:
    first, second = started("rust/meter"), started("rust/meter")
    first.on_request(REQUEST)
    assert logged(first) == []
    assert logged(second) == ["heard of stream 2"]


def test_a_root_that_is_not_done_lives_until_it_says_so(started: Starter, world: World) -> None:
    """1.6 m: `proxy_on_done` may say not yet, and `proxy_done` comes later."""
    plugin = started("rust/meter")
    assert not plugin.retire()
    for _ in range(99):
        plugin.on_request(REQUEST)
    assert plugin.root in plugin.machine.contexts
    plugin.tick()
    assert plugin.root not in plugin.machine.contexts


def test_a_network_filter_holds_marks_and_closes(started: Starter, world: World) -> None:
    plugin = started("rust/tcp")
    with plugin.connection({"source.address": "10.0.0.1:5"}) as connection:
        assert connection.open()
        assert connection.downstream_data(b"hel") == b""
        assert connection.downstream_data(b"lo\n") == b"hello\n"
        assert connection.upstream_data(b"hi") == b"> hi"
        assert connection.downstream_data(b"quit\n") == b""
        assert connection.downstream.closed is not None
        connection.close_downstream()
    assert logged(plugin) == ["from 10.0.0.1:5", "closed by Remote", "over"]


def test_grpc_calls_and_streams_reach_the_guest_as_the_client_answers(started: Starter, world: World) -> None:
    plugin = started("rust/remote")
    plugin.tick()
    (watch, stream, peer), (say, call, _) = world.grpc
    assert (watch.upstream, watch.service, watch.method, watch.message) == (b"news", b"pkg.News", b"Watch", None)
    assert (say.service, say.method, say.message, say.metadata) == (
        b"pkg.Word",
        b"Say",
        b"hello",
        [(b"x-who", b"remote")],
    )
    stream.initial_metadata([(b"x-from", b"paper")])
    stream.message(b"extra")
    call.message(b"word")
    call.close(0)
    stream.trailing_metadata([(b"a", b"1"), (b"b", b"2")])
    stream.close(14, "gone")
    stream.message(b"late")
    assert peer.did == ["send extra False"]
    assert logged(plugin) == ["stream from paper", "call 0 word", "stream trailers 2", 'stream closed 14 Some("gone")']


def test_a_grpc_call_that_takes_too_long_is_cancelled_and_closed(started: Starter, world: World) -> None:
    plugin = started("rust/remote")
    plugin.tick()
    world.now_ns += SECOND // 4
    plugin.run_due()
    assert world.grpc[1][2].did == ["cancel"]
    assert logged(plugin) == ["call 4 "]


@pytest.mark.parametrize(
    "name", ["rust/gate", "rust/meter", "go/tags", "go/meter", "assemblyscript/tags", "assemblyscript/gate"]
)
def test_admission_takes_them_as_it_takes_our_own(started: Starter, name: str) -> None:
    verdict = check(started.modules[name].read_bytes(), b"blue", root_id=name.partition("/")[2])
    assert verdict.accepted, verdict.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rust/tags", "the filter is faulty: on a request with odd headers, proxy_on_request_headers failed"),
        ("rust/tcp", "the filter is faulty: on a plain request"),
    ],
)
def test_admission_finds_what_would_end_an_envoys_machine(started: Starter, name: str, words: str) -> None:
    """1.6 j: Rust's SDK takes headers for text, and one that is none ends the machine. The other filter is for TCP."""
    assert words in check(started.modules[name].read_bytes(), b"blue").reason
