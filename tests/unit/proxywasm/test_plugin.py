"""The filter in wasmtime: the vectors, what a request costs, and what it does under a hostile host."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any  # the vectors are JSON; use asserts their shape

import pytest

from tests.harness.repo import ROOT
from xds.proxywasm.context_calls import ContextCalls
from xds.proxywasm.header_calls import HeaderCalls
from xds.proxywasm.plugin import Plugin
from xds.proxywasm.runtime import Runtime

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "filters/vectors/buckets.json").read_text())["requests"]
CALLS = {
    "proxy_get_property": ContextCalls,
    "proxy_log": ContextCalls,
    "proxy_get_header_map_value": HeaderCalls,
    "proxy_replace_header_map_value": HeaderCalls,
}


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime() as shared:
        yield shared


def properties_of(vector: dict[str, Any]) -> dict[bytes, bytes]:
    found = {b"xds\0route_name": b"web.all#0123456789abcdef"}
    if vector["metadata_hex"] is not None:
        found[b"xds\0route_metadata"] = bytes.fromhex(vector["metadata_hex"])
    if vector["source"] is not None:
        found[b"source\0address"] = vector["source"].encode()
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_request_leaves_with_the_header_that_the_vector_says(runtime: Runtime, vector: dict[str, Any]) -> None:
    plugin = Plugin(HEALTH, vector["configuration"].encode(), runtime=runtime)
    headers = [(header["name"].encode(), bytes.fromhex(header["value_hex"])) for header in vector["headers"]]
    left = plugin.on_request(headers, properties_of(vector))
    written = [value.decode() for name, value in left if name == vector["header"].encode()]
    forged = [value for name, value in headers if name == vector["header"].encode()]
    assert written == ([] if vector["expect"] is None else [vector["expect"]])
    assert len(left) == len(headers) + len(written) - len(forged)


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("header key", ["proxy_get_property", "proxy_get_header_map_value", "proxy_replace_header_map_value"]),
        ("source key", ["proxy_get_property", "proxy_get_property", "proxy_replace_header_map_value"]),
        ("no facts, no default key", ["proxy_get_property"]),
    ],
)
def test_a_request_costs_the_host_calls_that_the_documentation_names(
    runtime: Runtime, name: str, calls: list[str]
) -> None:
    vector = next(vector for vector in VECTORS if vector["name"] == name)
    plugin = Plugin(HEALTH, vector["configuration"].encode(), runtime=runtime)
    headers = [(header["name"].encode(), bytes.fromhex(header["value_hex"])) for header in vector["headers"]]
    told = {b"xds\0route_metadata": b""} | properties_of(vector)
    plugin.on_request(headers, told)  # from now on the route's name is enough
    plugin.machine.calls.clear()
    plugin.on_request(headers, told)
    assert plugin.machine.calls == {call: calls.count(call) for call in calls}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [*range(1, 13), 255])
def test_no_status_of_any_host_call_traps_the_filter(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, call: str, status: int
) -> None:
    vector = next(vector for vector in VECTORS if vector["name"] == "header missing")
    monkeypatch.setattr(CALLS[call], call, lambda *_: status)
    plugin = Plugin(HEALTH, b'{"default_key":{"header":"x-user"}}', runtime=runtime)
    for headers in ([], [(b"x-user", b"u")], [(b"x-user", b"")]):
        plugin.on_request(headers, properties_of(vector))


@pytest.mark.parametrize("status", [*range(1, 13), 255])
def test_a_configuration_that_the_host_does_not_give_is_refused_without_a_trap(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    plugin = Plugin(HEALTH, b"", runtime=runtime)
    monkeypatch.setattr(ContextCalls, "proxy_get_buffer_bytes", lambda *_: status)
    # The instance linked the call as it was; another instance sees the one that refuses.
    assert plugin.configure(b"{}")
    with pytest.raises(Exception, match=f"the host does not give it \\(status {status}\\)"):
        Plugin(HEALTH, b"{}", runtime=runtime)


def test_metadata_broken_anywhere_never_traps_the_filter(runtime: Runtime) -> None:
    chance = random.Random(7)
    plugin = Plugin(HEALTH, b'{"default_key":{"cookie":"uid"}}', runtime=runtime)
    whole = bytes.fromhex(next(v for v in VECTORS if "split around it" in v["name"])["metadata_hex"])
    for _ in range(500):
        broken = bytearray(whole[: chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(4)):
            if broken:
                broken[chance.randrange(len(broken))] = chance.randrange(256)
        cookie = chance.randbytes(chance.choice([0, 1, 10, 60_000]))
        left = plugin.on_request([(b"cookie", cookie)], {b"xds\0route_metadata": bytes(broken)})
        assert all(0 <= int(value) < 10_000 for name, value in left if name == b"x-fairlead-bucket")


def test_long_use_does_not_grow_the_guests_memory(runtime: Runtime) -> None:
    """A machine lives as long as its Envoy; what it allocates per request it must give back."""
    plugin = Plugin(HEALTH, b'{"default_key":{"header":"x-user"}}', runtime=runtime)
    memory = plugin._instance.memory
    sizes = []
    for number in range(2_000):
        plugin.on_request([(b"x-user", b"u" * (number * 37 % 30_000))], {b"source\0address": b"10.0.0.1:1"})
        sizes.append(memory.size())
    assert sizes[-1] == sizes[1_000], "every length has been seen by then"


def test_a_second_configuration_takes_over_and_a_refused_one_does_not(runtime: Runtime) -> None:
    plugin = Plugin(HEALTH, b'{"default_key":{"header":"x-user"},"default_salt":"a"}', runtime=runtime)
    first = plugin.on_request([(b"x-user", b"u")])
    assert not plugin.configure(b"{")
    assert plugin.on_request([(b"x-user", b"u")]) == first
    assert plugin.configure(b'{"default_key":{"header":"x-user"},"default_salt":"b"}')
    assert plugin.on_request([(b"x-user", b"u")]) != first
