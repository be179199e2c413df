"""All containers of one service together: what is declared, what is only proposed, and who waits for a rollout.

A service has one policy, and its stable version says which. What another version says differently is a proposal: shown,
and taken up when that version is promoted, never before. So two versions with conflicting labels do each other no
harm. Breaker, limits and callers ride on the instances, where translation applies the same rule
(`translate/policy.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

from xds.labels.description import Canary, Description, ServiceLabels
from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput, Problem, Severity
from xds.model.route import Route
from xds.model.service import Service
from xds.model.split import Split

T = TypeVar("T")
_NOBODYS: Final = frozenset({"", "auto"})
"""Owners of a service that nobody declared."""
_DECLARED: Final = ("protocol", "timeout", "retry", "balancing", "hash_key", "outlier")
"""Fields of a service that labels declare; the split's key is the seventh, inside the split."""
_SHORT: Final = 200


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a version says of its service that does not hold; `field` is one of ServiceLabels, or `route <name>`."""

    service: ServiceKey
    version: str
    field: str
    holds: str
    wanted: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{self.service} {self.version}: {self.field} would be {self.wanted}; {self.holds} holds"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version without users that waits for a rollout, and how it would like to come in."""

    version: str
    canary: Canary


@dataclass(frozen=True, slots=True)
class Merged:
    """What the containers of one service come to.

    Without a container of the stable version among them nothing `speaks` for the service: then nothing is declared, and
    nothing that was declared before is taken back. `service` None leaves the service as it is; `stale` are routes that
    were declared for labels, and that no label names any more.
    """

    key: ServiceKey
    stable: str
    speaks: bool
    service: Service | None = None
    routes: tuple[Route, ...] = ()
    stale: tuple[Route, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    problems: tuple[Problem, ...] = ()


def by_service(descriptions: Iterable[Description]) -> dict[ServiceKey, list[Description]]:
    """Return descriptions by service, in the order given."""
    found: dict[ServiceKey, list[Description]] = {}
    for description in descriptions:
        found.setdefault(description.service, []).append(description)
    return found


def merge(
    descriptions: Sequence[Description], known: Service | None, owner: str, routes: Sequence[Route] = ()
) -> Merged:
    """Return what the containers of one service come to; `known` and `routes` are the service as it stands.

    A service that nobody knows gets the version of the first container as its stable one, as the registry does.
    `owner` is whoever declares: what somebody else declared is left alone, and labels only propose.
    """
    key = descriptions[0].service
    stable = known.stable if known is not None and known.stable else descriptions[0].version
    versions: dict[str, list[Description]] = {}
    for description in descriptions:
        versions.setdefault(description.version, []).append(description)
    problems: list[Problem] = []
    said = {version: _agreed(found, problems) for version, found in versions.items()}
    wanted = {version: _agreed_routes(found, problems) for version, found in versions.items()}
    others = {route.key.name: route for route in routes if route.owner not in _NOBODYS | {owner}}
    holds = {name: replace(route, owner=owner) for name, route in wanted.get(stable, {}).items()} | others
    policy = said.get(stable, ServiceLabels())
    foreign = known is not None and known.owner not in _NOBODYS | {owner}
    service = None if foreign or stable not in said else _declared(key, policy, known, owner, problems)
    holding = known if foreign or service is None else service
    proposals: list[Proposal] = []
    for version, words in said.items():
        proposals += _policy_proposals(key, version, words, policy, holding)
        proposals += _route_proposals(key, version, wanted[version], holds)
    split = {} if known is None else known.split.weights
    return Merged(
        key=key,
        stable=stable,
        speaks=stable in said,
        service=service,
        routes=tuple(route for route in holds.values() if route.owner == owner),
        stale=tuple(
            route for route in routes if stable in said and route.owner == owner and route.key.name not in holds
        ),
        waiting=tuple(
            Waiting(version, _most([each.canary for each in found], "canary", found[0], problems))
            for version, found in versions.items()
            if version != stable and not split.get(version)
        ),
        proposals=tuple(proposals),
        problems=tuple(problems),
    )


def _agreed(found: Sequence[Description], problems: list[Problem]) -> ServiceLabels:
    """Return what most containers of a version say, field by field; a difference is reported."""
    agreed: dict[str, object] = {}
    for field in (each.name for each in fields(ServiceLabels)):
        values = [value for each in found if (value := getattr(each.policy, field)) is not None]
        if values:
            agreed[field] = _most(values, field, found[0], problems)
    return replace(ServiceLabels(), **agreed)  # type: ignore[arg-type]  # each value comes from the field of that name


def _agreed_routes(found: Sequence[Description], problems: list[Problem]) -> dict[str, Route]:
    values: dict[str, list[Route]] = {}
    for each in found:
        for route in each.routes:
            values.setdefault(route.key.name, []).append(route)
    return {name: _most(routes, f"route {name}", found[0], problems) for name, routes in sorted(values.items())}


def _most(values: Sequence[T], what: str, one: Description, problems: list[Problem]) -> T:
    texts = {at: repr(value) for at, value in {id(value): value for value in values}.items()}  # many are one object
    by_text = {texts[id(value)]: value for value in values}
    counted = Counter(texts[id(value)] for value in values)
    text = min(counted, key=lambda text: (-counted[text], text))
    if len(counted) > 1:
        message = f"containers of version {one.version} differ in {what}; what most of them say holds"
        problems.append(Problem("service", str(one.service), "", message, Severity.WARNING))
    return by_text[text]


def _declared(
    key: ServiceKey, said: ServiceLabels, known: Service | None, owner: str, problems: list[Problem]
) -> Service | None:
    """Return the service as labels declare it; None where they say nothing of it, and never did."""
    values = {name: value for name in _DECLARED if (value := getattr(said, name)) is not None}
    ours = known is not None and known.owner == owner and owner not in _NOBODYS
    if not values and said.split_key is None and not ours:
        return None
    bare = Service(key, owner=owner)
    try:
        split = bare.split if said.split_key is None else Split(key=said.split_key)
        return replace(bare, **values, split=split)
    except InvalidInput as error:
        message = f"{error.message}; its policy stays as it is"
        problems.append(Problem("service", str(key), error.pointer, message, Severity.WARNING))
        return None


def _policy_proposals(
    key: ServiceKey, version: str, said: ServiceLabels, stable: ServiceLabels, holding: Service | None
) -> Iterable[Proposal]:
    """Yield each field that a version says and that does not hold, be it by the stable version or by an operator."""
    bare = holding or Service(key)
    for each in fields(ServiceLabels):
        wanted = getattr(said, each.name)
        if each.name == "split_key":
            holds: object = bare.split.key
        elif each.name in _DECLARED:
            holds = getattr(bare, each.name)
        else:
            own = getattr(bare, each.name)
            holds = getattr(stable, each.name) if own is None else own
        if wanted is not None and wanted != holds:
            yield Proposal(key, version, each.name, _short(holds), _short(wanted))


def _route_proposals(
    key: ServiceKey, version: str, wanted: Mapping[str, Route], standing: Mapping[str, Route]
) -> Iterable[Proposal]:
    for name, route in wanted.items():
        held = standing.get(name)
        if held is None or route != replace(held, owner=route.owner):
            yield Proposal(key, version, f"route {name}", _short(standing.get(name)), _short(route))


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."
