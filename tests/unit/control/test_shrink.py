"""The shrink guard: absences that would take much of a service, or of an environment, are held; evidence passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.harness.declared import WEB, Book, instance, service, split
from xds.control.shrink import WINDOW, ShrinkGuard
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey


class Town:
    """Services whose instances go silent or are deleted; everything declared is published."""

    def __init__(self) -> None:
        self.book, self.guard, self.now = Book(), ShrinkGuard(), 100.0
        self.intent = self.book.intent

    def register(self, count: int, version: str = "v1", key: ServiceKey = WEB) -> list[Instance]:
        made = [instance(f"{key.name}-{version}-{at}", version, service=key) for at in range(count)]
        self.book.put(*made)
        return made

    def silent(self, *gone: Instance) -> tuple[str, ...]:
        """Let these fall silent at once; return who was let go."""
        writes = dict.fromkeys([Ref(Kind.INSTANCE, each.id) for each in gone])
        self.intent.commit(writes, self.intent.revision + 1, set(writes))
        return self.judge()

    def judge(self) -> tuple[str, ...]:
        going, self.again = self.guard.judge(self.intent, self.clusters, self.now)
        for name in going:
            self.intent.release(name)
        return going

    def clusters(self, env: str) -> int:
        views = [self.intent.view(key) for key in self.intent.services if key.env == env]
        return sum(len({*view.subsets, *view.service.split.weights}) for view in views if view)

    def served(self, key: ServiceKey = WEB) -> int:
        view = self.intent.view(key)
        assert view is not None
        return sum(not member.leaving for member in view.members)


def ids(*instances: Instance) -> tuple[str, ...]:
    return tuple(sorted(each.id for each in instances))


def test_half_of_a_cluster_may_go() -> None:
    town = Town()
    made = town.register(10)
    assert town.silent(*made[:5]) == ids(*made[:5])
    assert town.served() == 5
    assert not town.guard.problems


def test_more_than_half_at_once_are_held_all_of_them_with_an_alarm() -> None:
    town = Town()
    made = town.register(10)
    assert town.silent(*made[:6]) == ()
    assert town.served() == 10
    assert len(town.intent.instances) == 4
    (problem,) = town.guard.problems
    assert (problem.kind, problem.object) == ("guard", "default/web")
    assert "6 of 10 endpoints of web/v1" in problem.message


def test_below_five_endpoints_nothing_is_held() -> None:
    town = Town()
    made = town.register(4)
    assert town.silent(*made) == ids(*made)


def test_what_dribbles_in_does_not_slip_under_the_guard() -> None:
    town = Town()
    made = town.register(10)
    for at, each in enumerate(made[:9]):
        town.now = 100.0 + at
        assert town.silent(each) == (ids(each) if at < 5 else ())
    assert town.served() == 5
    assert "9 of 10" in town.guard.problems[0].message


def test_a_slow_decline_passes() -> None:
    town = Town()
    made = town.register(10)
    for each in made[:9]:
        town.now += WINDOW / 2
        assert town.silent(each) == ids(each)


def test_what_is_held_is_looked_at_again_when_the_window_has_moved_on() -> None:
    town = Town()
    made = town.register(12)
    town.silent(*made[:6])
    town.now += 10.0
    assert town.silent(made[6]) == ()
    assert town.again == 100.0 + WINDOW
    town.now = town.again
    assert town.judge() == ids(made[6])
    assert not town.guard.problems


def test_the_hold_ends_when_enough_come_back() -> None:
    town = Town()
    made = town.register(10)
    town.silent(*made[:6])
    town.book.put(made[0])
    assert town.judge() == ids(*made[1:6])
    assert (town.served(), town.guard.problems) == (5, ())


def test_a_deletion_is_evidence_also_of_what_is_held() -> None:
    town = Town()
    made = town.register(10)
    town.silent(*made[:6])
    for each in made[:6]:
        town.book.delete(Kind.INSTANCE, each.id)
    assert town.judge() == ()
    assert (town.served(), town.guard.problems) == (4, ())


def test_the_deletion_of_the_service_lets_all_go() -> None:
    town = Town()
    made = town.register(6)
    town.silent(*made)
    town.book.delete(Kind.SERVICE, str(WEB))
    assert town.judge() == ids(*made)
    assert not town.guard.problems


def test_only_the_subset_that_shrinks_too_much_is_held() -> None:
    town = Town()
    many, few = town.register(20), town.register(5, "v2")
    assert town.silent(many[0], *few) == ids(many[0])
    assert town.served() == 24


@pytest.mark.parametrize(("services", "held"), [(4, True), (12, False)])
def test_a_fifth_of_an_environments_clusters_may_go(services: int, held: bool) -> None:
    """Each service has two clusters, `-` and its stable version's; the third goes with its last instance."""
    town = Town()
    going: list[Instance] = []
    for at in range(services):
        key = ServiceKey.of(f"s{at}")
        town.register(1, "v1", key)
        if at < 4:
            going += town.register(1, "v2", key)
    assert town.silent(*going) == (() if held else ids(*going))
    assert bool(town.guard.problems) is held
    if held:
        assert "4 of 12 clusters of environment default" in town.guard.problems[0].message


def test_a_cluster_that_the_split_names_does_not_go_with_its_instances() -> None:
    town = Town()
    town.register(1)
    going = town.register(1, "v2")
    stands = town.intent.services[WEB]
    town.book.put(replace(service(), split=split(v1=5000, v2=5000), stable=stands.stable))
    others = [town.register(1, "v1", ServiceKey.of(f"s{at}")) for at in range(2)]
    assert others
    assert town.silent(*going) == ids(*going)
