"""Events out of bytes, however they are cut (fault D2), and inspections of any shape (fault D3)."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.docker.engine_said import WEB, inspection
from xds.model.instance import Address
from xds.sources.docker.facts import Unreadable, read_facts, read_summaries
from xds.sources.docker.stream import Event, EventStream, Oversized

START = {
    "Type": "container", "Action": "start", "timeNano": 5,
    "Actor": {"ID": WEB, "Attributes": {"name": "größe-☃", "fairlead.service": "web"}},
}  # fmt: skip
KILL = {"Type": "container", "Action": "kill", "timeNano": 6, "Actor": {"ID": WEB, "Attributes": {"signal": "15"}}}
CONNECT = {
    "Type": "network", "Action": "connect", "timeNano": 7, "Actor": {"ID": "net", "Attributes": {"container": WEB}},
}  # fmt: skip
EVENTS = [Event("start", WEB, 5, 0, ours=True), Event("kill", WEB, 6, 15), Event("connect", WEB, 7)]
BYTES = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in (START, KILL, CONNECT))


@given(st.lists(st.integers(0, len(BYTES))))
def test_events_are_whole_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(BYTES)]
    stream = EventStream()
    heard = [event for at, end in itertools.pairwise(places) for event in stream.feed(BYTES[at:end])]
    assert heard == EVENTS
    assert stream.unreadable == 0


def test_what_is_no_event_costs_itself() -> None:
    stream = EventStream()
    heard = list(stream.feed(b'{"half":\nnull\n\n[]\n' + b"\xff\xfe\n" + b'{"Type":"container"}\n' + BYTES))
    assert heard == EVENTS
    assert stream.unreadable == 5


def test_an_event_without_end_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.sources.docker.stream.MAX_EVENT", 1000)
    with pytest.raises(Oversized):
        list(EventStream().feed(b"x" * 1001))


def test_an_inspection_is_read() -> None:
    known = read_facts(
        inspection(
            started=1.5,
            networks={"front": "10.1.0.2", "back": ""},
            mode="front",
            ports={"8080/tcp": [{"HostIp": "", "HostPort": "80"}, {"HostIp": "::", "HostPort": "80"}], "9/tcp": None},
            health="starting",
        )
    )
    assert (known.id, known.name, known.image, known.pid) == (WEB, "web", "example/web:v1", 4711)
    assert (known.started, known.mode, known.health, known.exposed) == (1_500_000, "front", "starting", (8080,))
    assert [(each.network, each.addresses) for each in known.attachments] == [("back", ()), ("front", ("10.1.0.2",))]
    assert known.published == {8080: (Address("0.0.0.0", 80), Address("::", 80))}
    assert known.container.healthcheck


def test_a_container_between_two_restarts_does_not_run() -> None:
    assert not read_facts(inspection(Restarting=True)).serves
    assert not read_facts(inspection(Paused=True)).serves


@pytest.mark.parametrize(("said", "number"), [("SIGUSR1", 10), ("USR1", 10), ("10", 10), ("nonsense", 15)])
def test_a_stop_signal_is_read_in_every_spelling(said: str, number: int) -> None:
    document = inspection()
    document["Config"]["StopSignal"] = said
    assert number in read_facts(document).stops_by


@pytest.mark.parametrize("said", [None, [], {}, {"Id": 7}, {"Id": "x"}, {"Id": "x", "State": {"Running": "yes"}}])
def test_what_is_no_inspection_is_refused(said: object) -> None:
    with pytest.raises(Unreadable):
        read_facts(said)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["State", "Config", "HostConfig", "NetworkSettings"]), st.text(), JSON)
def test_any_value_anywhere_is_read_or_refused_in_words(where: str, key: str, value: Any) -> None:
    document = inspection()
    for field in [*document[where], key]:
        odd = {**document, where: {**document[where], field: value}}
        try:
            assert read_facts(odd).id == WEB
        except Unreadable:
            assert where == "State"


def test_a_list_is_read_line_by_line() -> None:
    up = {"Id": WEB, "Labels": {"fairlead.service": "web"}, "State": "running", "Status": "Up 2 seconds (healthy)"}
    later = {**up, "Status": "Up 3 seconds (healthy)"}
    ill = {**up, "Status": "Up 4 seconds (unhealthy)"}
    one, two, three = (read_summaries([each, {"Id": 5}, None])[0] for each in (up, later, ill))
    assert one == two, "time goes by, nothing else"
    assert one.mark != three.mark
    with pytest.raises(Unreadable):
        read_summaries({"message": "no"})
