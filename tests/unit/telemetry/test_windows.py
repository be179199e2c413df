"""A window forgets by itself, tells no data from zero, and has room for everybody."""

from __future__ import annotations

from xds.model.traffic import Attempts
from xds.telemetry.windows import Kind, Place, Window, total

NODE = Place(Kind.NODE, "edge-1")


def total_of(held: Window[Attempts], cluster: str, now: float, seconds: float | None = None) -> Attempts | None:
    return total(held.by(Kind.NODE, cluster, now, seconds).values(), Attempts)


def window(**limits: int) -> Window[Attempts]:
    return Window(Attempts, slots=3, width=10.0, **limits)


def test_nobody_spoke_of_a_cluster_is_not_the_same_as_nothing_happened() -> None:
    held = window()
    assert total_of(held, "web/v1", 0.0) is None
    held.add("web/v1", NODE, Attempts(), source="edge-1", now=0.0)
    assert total_of(held, "web/v1", 0.0) == Attempts()
    assert total_of(held, "web/v1", 29.9) == Attempts()
    assert total_of(held, "web/v1", 30.0) is None


def test_the_total_is_that_of_all_nodes_and_their_last_word_on_what_is_in_progress() -> None:
    held = window()
    for now, node, requests, running in ((1.0, "a", 10, 5), (2.0, "b", 1, 7), (12.0, "a", 20, 2)):
        attempts = Attempts(requests, in_progress=running)
        held.add("web/v1", Place(Kind.NODE, node), attempts, source=node, now=now)
    assert total_of(held, "web/v1", 12.0) == Attempts(31, in_progress=9)
    assert held.by(Kind.NODE, "web/v1", 12.0) == {"a": Attempts(30, in_progress=2), "b": Attempts(1, in_progress=7)}
    assert total_of(held, "web/v1", 12.0, seconds=10) == Attempts(20, in_progress=2)
    assert total_of(held, "web/v1", 35.0) == Attempts(20, in_progress=2)


def test_a_part_of_a_cluster_is_no_part_of_its_total() -> None:
    held = window()
    held.add("web/v1", Place(Kind.ENDPOINT, "10.0.0.7:80"), Attempts(3), source="edge-1", now=0.0)
    assert total_of(held, "web/v1", 0.0) is None
    assert held.by(Kind.ENDPOINT, "web/v1", 0.0) == {"10.0.0.7:80": Attempts(3)}


def test_what_was_added_is_not_changed_by_what_comes_later() -> None:
    held, first = window(), Attempts(1, drops={"lb": 1})
    held.add("web/v1", NODE, first, source="edge-1", now=0.0)
    held.add("web/v1", NODE, Attempts(1, drops={"lb": 1}), source="edge-1", now=0.0)
    assert first == Attempts(1, drops={"lb": 1})


def test_old_entries_take_no_room() -> None:
    held = window()
    for now in range(1000):
        held.add(f"web/{now}", NODE, Attempts(1), source="edge-1", now=float(now))
    assert len(held) <= 30
    held.forget(2000.0)
    assert len(held) == 0


def test_one_reporter_that_invents_names_takes_no_room_from_the_others() -> None:
    held = window(most=100, most_per_source=10)
    for number in range(50):
        held.add(f"invented-{number}", NODE, Attempts(1), source="hostile", now=0.0)
    assert (len(held), held.lost) == (10, 40)
    held.add("web/v1", NODE, Attempts(1), source="edge-1", now=0.0)
    assert total_of(held, "web/v1", 0.0) == Attempts(1)
    held.add("invented-1", NODE, Attempts(1), source="hostile", now=0.0)
    assert total_of(held, "invented-1", 0.0) == Attempts(2), "what is there already has its place"


def test_a_full_slot_refuses_new_places_until_the_next_one() -> None:
    held = window(most=2, most_per_source=2)
    for number in range(3):
        held.add(f"web/{number}", NODE, Attempts(1), source=str(number), now=0.0)
    assert total_of(held, "web/2", 0.0) is None
    held.add("web/2", NODE, Attempts(1), source="2", now=10.0)
    assert total_of(held, "web/2", 10.0) == Attempts(1)
