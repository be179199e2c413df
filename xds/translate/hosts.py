"""Virtual hosts: what several services and routes contribute to one name, put in order.

Knows rules and the names they stand under. Public names are those that routes declare; inside the mesh there are also
the services' own. Two rules that match the same requests cannot both stand: the later one by name is left out and
reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xds.model.gateway import Gateway
from xds.model.names import ServiceKey
from xds.model.problems import Problem
from xds.model.reach import EVERYTHING, UpstreamNames, covers

from .routes import Rule, virtual_host, withheld

Rules = Mapping[str, tuple[Rule, ...]]

ANY = "*"
"""The host of a route for everything a gateway hears. Inside the mesh it names nothing."""


@dataclass(frozen=True, slots=True)
class Site:
    """One encoded virtual host and the weights it carries: of services' own ports, and of named ones (`other`).

    `rules` are those that it holds, in order; `needs` the clusters it leads to.
    """

    name: str
    body: bytes
    own: Mapping[ServiceKey, Mapping[str, int]]
    other: Mapping[ServiceKey, Mapping[str, int]]
    rules: tuple[Rule, ...]
    needs: frozenset[str]

    @property
    def services(self) -> frozenset[str]:
        """The services that it leads to, those that get copies counted."""
        return frozenset(name for rule in self.rules for name in (rule.service.name, rule.also) if name)

    def within(self, upstreams: UpstreamNames) -> Site | None:
        """Return the same host for who may call `upstreams` only, None where it leads to none of them.

        Where services share a host, a request for one that is withheld is answered 404: it must not fall to the next.
        """
        visible = [covers(upstreams, rule.service.name) for rule in self.rules]
        if all(visible):
            return self
        if not any(visible):
            return None
        return _site(self.name, self.name, self.rules, upstreams)


def carried(sites: Iterable[Site]) -> dict[ServiceKey, Mapping[str, int]]:
    """Return the weights that a route configuration of these sites carries; a service's own port speaks for it."""
    weights: dict[ServiceKey, Mapping[str, int]] = {}
    own: dict[ServiceKey, Mapping[str, int]] = {}
    for site in sites:
        if site.own:
            own.update(site.own)
        if site.other:
            weights.update(site.other)
    weights.update(own)
    return weights


class Hosts:
    """The virtual hosts of one environment."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_host: dict[str, dict[str, tuple[Rule, ...]]] = {}
        self._inside: dict[str, dict[str, tuple[Rule, ...]]] = {}
        self._of: dict[str, tuple[Rules, Rules]] = {}
        self._dirty: set[str] = set()
        self._public: dict[str, Site] = {}
        self._mesh: dict[str, Site] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._in_mesh: list[str] | None = None
        self._covered: dict[tuple[str, ...], list[str]] = {}

    def put(self, service: str, by_host: Rules, inside: Rules) -> None:
        """Replace what `service` contributes; empty for nothing."""
        before = self._of.pop(service, ({}, {}))
        if by_host or inside:
            self._of[service] = (by_host, inside)
        for table, old, new in zip((self._by_host, self._inside), before, (by_host, inside), strict=True):
            for host in old.keys() | new.keys():
                if old.get(host) == new.get(host):
                    continue
                self._dirty.add(host)
                rules = table.setdefault(host, {})
                if host in new:
                    rules[service] = new[host]
                else:
                    del rules[service]
                    if not rules:
                        del table[host]

    def settle(self) -> set[str]:
        """Make the virtual hosts that changed; return their names."""
        dirty, self._dirty = self._dirty, set()
        for host in dirty:
            declared = _flat(self._by_host.get(host, {}))
            named = _flat(self._inside.get(host, {}))
            self._problems.pop(host, None)
            self._make(self._public, host, declared)
            self._make(self._mesh, host, [] if host == ANY else [*declared, *named])
        return dirty

    @property
    def mesh(self) -> list[Site]:
        """The virtual hosts of the egress, by name."""
        if self._in_mesh is None:
            self._in_mesh = sorted(self._mesh)
        return [self._mesh[host] for host in self._in_mesh]

    @property
    def by_name(self) -> Mapping[str, Site]:
        """The same, to look one up."""
        return self._mesh

    def public(self, gateway: Gateway) -> list[Site]:
        """Return the virtual hosts of a gateway, by name."""
        names = self._covered.get(gateway.hosts)
        if names is None:
            names = self._covered[gateway.hosts] = [host for host in sorted(self._public) if gateway.covers(host)]
        return [self._public[host] for host in names]

    def own(self, service: str) -> Site:
        """Return the one virtual host of a service's upstream port, which answers under every name."""
        kept, _ = _arrange(service, _flat({service: self._inside.get(service, {}).get(service, ())}))
        return _site(service, ANY, kept)

    @property
    def problems(self) -> Iterable[Problem]:
        """The rules that are left out."""
        return (problem for host in sorted(self._problems) for problem in self._problems[host])

    def _make(self, table: dict[str, Site], host: str, rules: list[Rule]) -> None:
        if bool(rules) != (host in table):
            self._in_mesh, self._covered = None, {}
        if not rules:
            table.pop(host, None)
            return
        kept, problems = _arrange(host, rules)
        table[host] = _site(host, host, kept)
        if problems:
            self._problems[host] = problems


def _flat(rules: Mapping[str, tuple[Rule, ...]]) -> list[Rule]:
    return [rule for found in rules.values() for rule in found]


def _arrange(host: str, rules: list[Rule]) -> tuple[list[Rule], tuple[Problem, ...]]:
    """Return the rules in the order in which Envoy tries them, without those that another one shadows exactly."""
    kept: list[Rule] = []
    problems: list[Problem] = []
    seen: dict[object, Rule] = {}
    for rule in sorted(rules, key=lambda rule: rule.order):
        first = seen.setdefault(rule.signature, rule) if rule.signature is not None else rule
        if first is rule:
            kept.append(rule)
            continue
        env = rule.service.env
        message = f"matches the same requests for host {host!r} as {first.name}, which goes first; left out there"
        problems.append(Problem("route", f"{env}/{rule.name}", "/path", message))
    return kept, tuple(problems)


def _site(name: str, domain: str, rules: Sequence[Rule], visible: UpstreamNames = EVERYTHING) -> Site:
    """Return a virtual host of `rules`; those for other services than `visible` are withheld."""
    weights: tuple[dict[ServiceKey, Mapping[str, int]], dict[ServiceKey, Mapping[str, int]]] = ({}, {})
    bodies: list[bytes] = []
    needs = set[str]()
    for rule in rules:
        if visible is not EVERYTHING and not covers(visible, rule.service.name):
            bodies.append(withheld(rule))
            continue
        bodies += rule.bodies
        needs |= rule.needs
        if rule.weights is not None:
            weights[rule.named_port][rule.service] = rule.weights
    return Site(name, virtual_host(name, domain, bodies), *weights, tuple(rules), frozenset(needs))
