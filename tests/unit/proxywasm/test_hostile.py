"""A guest that means harm: it is stopped, the host goes on, and nobody else pays for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wasmtime

from tests.harness.repo import ROOT
from tests.unit.proxywasm.puppet import Puppet, puppet_module
from xds.proxywasm.failures import Refused, Trapped
from xds.proxywasm.machine import Host
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Limits, Runtime
from xds.proxywasm.sharing import MOST_BYTES, Shared
from xds.proxywasm.stream import OnFailure


def wat(name: str) -> bytes:
    return bytes(wasmtime.wat2wasm((ROOT / f"tests/modules/{name}.wat").read_text()))


HOSTILE = wat("hostile")
MEMORY = 4 << 20


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime(Limits(call_seconds=0.2, memory_bytes=MEMORY)) as shared:
        yield shared


def told(what: str) -> list[tuple[bytes, bytes]]:
    return [(b":path", b"/"), (b"x-do", what.encode())]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("loop", "it did not return within 0.2 s"),
        ("deep", "its stack overflowed"),
        ("unreachable", "it ran into `unreachable`"),
        ("out of bounds", "it reached beyond its memory"),
        ("zero", "it divided by zero"),
        ("xit", r"it called proc_exit\(1\)"),
        ("malloc calls", "it called proxy_get_property while it allocates"),
        ("never returns from malloc", "it did not return within 0.2 s"),
        ("queue", "it did not come to rest within 0.6 s"),
    ],
)
def test_it_is_stopped_in_words_and_its_machine_is_finished(runtime: Runtime, what: str, words: str) -> None:
    plugin, other = Plugin(HOSTILE, runtime=runtime), Plugin(HOSTILE, runtime=runtime)
    with pytest.raises(Trapped, match=words):
        plugin.on_request(told(what))
    with pytest.raises(Trapped, match="its machine has failed before: "):
        plugin.on_request([])
    assert other.on_request([(b"a", b"b")]) == [(b"a", b"b")]


@pytest.mark.parametrize("what", ["grow", "share", "add headers", "context of another", "place outside from malloc"])
def test_what_it_may_not_have_it_is_not_given_and_its_request_goes_on(runtime: Runtime, what: str) -> None:
    plugin = Plugin(HOSTILE, runtime=runtime)
    left = plugin.on_request(told(what))
    assert left[:2] == told(what)
    assert sum(len(value) for _, value in left) <= 1 << 20
    assert plugin._instance.memory.size() <= MEMORY
    assert sum(len(value) for value, _ in plugin.shared.data.values()) <= MOST_BYTES


def test_a_start_that_calls_what_it_may_not_is_refused(runtime: Runtime) -> None:
    """1.6 b: while a module starts or allocates, it may log and little else."""
    with pytest.raises(Refused, match="it called proxy_set_tick_period_milliseconds while it starts") as refused:
        Plugin(wat("early"), runtime=runtime)
    assert [line.text for line in refused.value.logs] == ["starting"]


class Clock:
    """Time that a test moves."""

    now = 1_000_000_000

    def __call__(self) -> int:
        return self.now


def failing(runtime: Runtime, policy: OnFailure, clock: Clock, shared: Shared | None = None) -> Plugin:
    host = Host(now_ns=clock, shared=shared or Shared())
    return Plugin(HOSTILE, runtime=runtime, host=host, settings=Settings(on_failure=policy))


def test_failed_and_closed_every_stream_of_the_machine_gets_503(runtime: Runtime) -> None:
    """1.6 o: one trap fails the machine, and with it each stream that is under way."""
    plugin = failing(runtime, OnFailure.CLOSED, Clock())
    before = plugin.stream()
    before.request_headers([(b":path", b"/")])
    for stream in (plugin.stream(), plugin.stream()):
        outcome = stream.request_headers(told("u"), end=True)
        assert outcome.reply is not None
        assert (outcome.reply.status, outcome.reply.details) == (503, "wasm_fail_stream")
        stream.finish()
    assert before.local_reply is not None
    assert before.response.sent.headers == [(b":status", b"503")]


def test_failed_and_open_streams_go_on_as_if_there_were_no_filter(runtime: Runtime) -> None:
    plugin = failing(runtime, OnFailure.OPEN, Clock())
    with plugin.stream() as stream:
        outcome = stream.request_headers(told("u"))
        assert (outcome.headers, outcome.reply, outcome.paused) == (told("u"), None, False)
        assert stream.request_body(b"abc", end=True).message.body == b"abc"
        assert stream.response_headers([(b":status", b"200")], end=True).headers == [(b":status", b"200")]


def test_failed_and_reloaded_the_next_stream_has_a_new_machine_but_not_too_often(runtime: Runtime) -> None:
    clock, shared = Clock(), Shared()
    plugin = failing(runtime, OnFailure.RELOAD, clock, shared)
    shared.put(b"", b"kept", b"1", 0)
    for turn in (1, 2):
        assert plugin.stream().request_headers(told("u"), end=True).reply is not None
        if turn == 2:
            assert plugin.stream().request_headers([], end=True).reply is not None, "10 ms have not passed"
        clock.now += 10_000_000
        assert plugin.stream().request_headers([], end=True).reply is None
        assert plugin.reloads == turn
        clock.now += 1
    assert shared.get(b"", b"kept") == (b"1", 1)


def test_an_error_of_the_hosts_own_is_not_blamed_on_the_guest(runtime: Runtime) -> None:
    def broken() -> int:
        raise LookupError("no clock")

    puppet = Puppet(Plugin(puppet_module(), runtime=runtime, host=Host(now_ns=broken)))
    with pytest.raises(LookupError, match="no clock"):
        puppet.do("proxy_get_current_time_nanoseconds", 64)
    assert puppet.plugin.machine.failed == "the host failed in a call of it"
