"""Publishing: content decides, revisions count, readers wake once."""

from __future__ import annotations

import asyncio

import pytest

from xds.cache import Cache, Group, Resource, ResourceKey
from xds.cache.snapshot import SHARED, TypeTable
from xds.wire.types import ResourceType

CDS, EDS, LDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER
ALL = Group("all")


def cluster(name: str, content: str = "", variant: str = "") -> Resource:
    return Resource.of(CDS, name, content.encode(), variant)


def endpoint(name: str, content: str = "") -> Resource:
    return Resource.of(EDS, name, content.encode())


def test_not_loaded_is_not_empty() -> None:
    """A stream gets UNAVAILABLE until the first publish, be it of nothing."""
    cache = Cache()
    assert cache.latest() is None
    snapshot = cache.publish()
    assert cache.latest() is snapshot
    assert len(snapshot.view(CDS, ALL)) == 0


def test_unchanged_content_keeps_its_object_and_the_snapshot() -> None:
    cache = Cache()
    first = cache.publish([cluster("a", "x")])
    again = cache.publish([cluster("a", "x")])
    assert again is first
    resource = first.get(ResourceKey(CDS, "a"))
    assert resource is not None
    assert resource.revision == 1


def test_a_revision_is_the_snapshot_at_which_the_content_appeared() -> None:
    cache = Cache(revision=40)
    cache.publish([cluster("a", "x"), cluster("b", "x")])
    snapshot = cache.publish([cluster("a", "y"), cluster("b", "x")])
    assert {name: r.revision for name, r in snapshot.view(CDS, ALL).items()} == {"a": 42, "b": 41}


def test_changing_only_what_a_resource_warms_keeps_its_revision() -> None:
    cache = Cache()
    cache.publish([cluster("a", "x")])
    snapshot = cache.publish([Resource.of(CDS, "a", b"x", warms=("b",))])
    resource = snapshot.view(CDS, ALL)["a"]
    assert (resource.revision, resource.warms) == (1, ("b",))


def test_an_old_snapshot_stays_as_it_was() -> None:
    cache = Cache()
    old = cache.publish([cluster("a", "x")])
    cache.publish([cluster("b", "x")], [ResourceKey(CDS, "a")])
    assert list(old.view(CDS, ALL)) == ["a"]


def test_a_key_that_is_both_upserted_and_removed_stays() -> None:
    snapshot = Cache().publish([cluster("a")], [ResourceKey(CDS, "a")])
    assert "a" in snapshot.view(CDS, ALL)


def test_removing_what_is_not_there_changes_nothing() -> None:
    cache = Cache()
    first = cache.publish([cluster("a")])
    assert cache.publish([], [ResourceKey(CDS, "b")]) is first


def test_types_without_a_change_keep_their_view() -> None:
    cache = Cache()
    before = cache.publish([cluster("a"), endpoint("a")])
    after = cache.publish([endpoint("a", "y")])
    assert after.view(CDS, ALL) is before.view(CDS, ALL)
    assert after.view(EDS, ALL) is not before.view(EDS, ALL)


def test_changed_names_are_known_per_type_and_revision() -> None:
    cache = Cache()
    cache.publish([cluster("a"), endpoint("a")])
    cache.publish([cluster("b")])
    cache.publish([endpoint("c")], [ResourceKey(CDS, "a")])
    assert cache.changed_since(CDS, 1) == frozenset({"a", "b"})
    assert cache.changed_since(CDS, 2) == frozenset({"a"})
    assert cache.changed_since(EDS, 2) == frozenset({"c"})
    assert cache.changed_since(LDS, 0) == frozenset()


def test_a_reader_that_slept_too_long_must_compare_everything() -> None:
    cache = Cache()
    for round_ in range(TypeTable.HISTORY + 2):
        cache.publish([cluster("a", str(round_))])
    assert cache.changed_since(CDS, 0) is None
    assert cache.changed_since(CDS, 3) == frozenset({"a"})


def test_a_view_shows_the_first_variant_that_has_the_name() -> None:
    cache = Cache()
    snapshot = cache.publish([cluster("a", "plain"), cluster("a", "blue", "blue"), cluster("b", "plain")])
    blue, plain, only = Group("blue", ("blue", "")), Group("plain"), Group("only", ("blue",))
    assert snapshot.view(CDS, blue)["a"].variant == "blue"
    assert snapshot.view(CDS, plain)["a"].variant == ""
    assert list(snapshot.view(CDS, blue)) == ["a", "b"]
    assert list(snapshot.view(CDS, only)) == ["a"]


def test_a_group_sees_only_the_names_it_admits() -> None:
    snapshot = Cache().publish([cluster("a"), cluster("b")])
    view = snapshot.view(CDS, Group("g", admits=lambda _type, name: name == "b"))
    assert list(view) == ["b"]
    assert view.find("a") is None
    assert "a" not in view


def test_removing_a_variant_uncovers_the_next_one() -> None:
    cache = Cache()
    cache.publish([cluster("a", "plain"), cluster("a", "blue", "blue")])
    snapshot = cache.publish([], [ResourceKey(CDS, "a", "blue")])
    assert snapshot.view(CDS, Group("g", ("blue", "")))["a"].variant == ""
    assert cache.changed_since(CDS, 1) == frozenset({"a"})


def test_groups_are_equal_by_id() -> None:
    assert Group("a", ("x",)) == Group("a") != Group("b")


async def test_a_reader_wakes_once_however_often_something_changed() -> None:
    cache = Cache()
    bell = cache.subscribe()
    bell.watch(ResourceType.CLUSTER, None)
    for content in "xyz":
        cache.publish([cluster("a", content)])
    await asyncio.wait_for(bell.wait(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bell.wait(), 0.02)


async def test_a_publish_of_the_same_content_wakes_nobody() -> None:
    cache = Cache()
    cache.publish([cluster("a", "x")])
    bell = cache.subscribe()
    bell.watch(ResourceType.CLUSTER, None)
    cache.publish([cluster("a", "x")])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bell.wait(), 0.02)


async def test_a_closed_bell_stays_silent() -> None:
    cache = Cache()
    bell = cache.subscribe()
    bell.watch(ResourceType.CLUSTER, None)
    bell.close()
    bell.close()
    cache.publish([cluster("a")])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bell.wait(), 0.02)


def test_readers_of_one_view_share_what_one_of_them_made() -> None:
    view = Cache().publish([cluster("a")]).view(CDS, ALL)
    made = [view.shared("key", lambda: bytearray(b"body")) for _ in range(2)]
    assert made[0] is made[1]


def test_a_view_keeps_only_the_latest_few_shared_results() -> None:
    view = Cache().publish([cluster("a")]).view(CDS, ALL)
    first = view.shared("first", object)
    for number in range(SHARED):
        view.shared(number, object)
    assert view.shared("first", object) is not first
