"""What `watch` tells of two lists and the events between them."""

from __future__ import annotations

from xds.cli.changes import by_key, moved
from xds.cli.event_stream import events
from xds.cli.kinds import KINDS
from xds.cli.output import Row

INSTANCES = KINDS["instances"]


def instance(name: str, **more: object) -> Row:
    return {"id": name, "service": "web", "version": "v1", "address": "10.0.0.7", "port": 80, **more}


def event(revision: int, what: str, name: str) -> tuple[int, Row]:
    return revision, {"kind": "instance", "object": name, "service": "default/web", "what": what, "actor": "api:token"}


def told(
    before: list[Row], now: list[Row], *between: tuple[int, Row], means: bool = True
) -> list[tuple[str, str, int]]:
    found = moved(INSTANCES, by_key(INSTANCES, before), by_key(INSTANCES, now), between, lambda _: means)
    return [(each.what, each.key, each.revision) for each in found]


def test_events_are_told_in_their_order_and_each_once() -> None:
    between = (event(4, "created", "b"), event(5, "changed", "b"), event(6, "removed", "a"))
    assert told([instance("a")], [instance("b")], *between) == [
        ("created", "b", 4),
        ("changed", "b", 5),
        ("removed", "a", 6),
    ]


def test_what_came_and_went_between_two_looks_is_told_all_the_same() -> None:
    between = (event(4, "created", "b"), event(5, "removed", "b"))
    assert told([], [], *between) == [("created", "b", 4), ("removed", "b", 5)]
    assert told([], [], *between, means=False) == [], "it is none of those that were asked for"


def test_what_nobody_declared_is_told_where_it_shows() -> None:
    before = [instance("a", health="healthy", lease={"expires_in": "10s"}), instance("b")]
    now = [instance("a", health="unhealthy", lease={"expires_in": "9s"}), instance("c")]
    assert told(before, now) == [("changed", "a", 0), ("removed", "b", 0), ("created", "c", 0)]
    assert told(now, [{**now[0], "lease": None}, now[1]]) == [], "a lease that runs down is no news"


def test_every_kind_of_object_has_keys_that_events_know_it_by() -> None:
    assert KINDS["services"].key({"env": "default", "name": "web"}) == "default/web"
    assert KINDS["rollouts"].key({"id": "web-v2-1", "env": "default"}) == "web-v2-1"


def test_a_stream_of_events_is_read_as_servers_write_it() -> None:
    lines = [
        "retry: 1000",
        "id: 4",
        "",
        ": 0 behind",
        "id: 9",
        "",
        "id:10",
        "event: revision",
        "data: {",
        "data: }",
        "",
    ]
    assert list(events([*lines, "id: 11", "data: cut o"])) == [("4", "", ""), ("9", "", ""), ("10", "revision", "{\n}")]
