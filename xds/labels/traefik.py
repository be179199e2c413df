"""Traefik's Docker labels (`traefik.*`, versions 2 and 3) as ours.

HTTP routers become routes, a service's port, health check and sticky or weighted servers what they are here, and the
middlewares that a route can do become part of it. TCP and UDP routers, TLS and what only a middleware can do are
reported. A container takes part unless it says `traefik.enable=false`, as by Traefik's own default. Source: Traefik's
reference of dynamic configuration by Docker labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from xds.labels import table
from xds.labels.keys import AnyKey
from xds.labels.translation import Translation, plain

PREFIX: Final = "traefik."
_ROUTER: Final = re.compile(r"traefik\.http\.routers\.([^.]+)\.(.+)\Z", re.IGNORECASE)
_SERVICE: Final = re.compile(r"traefik\.http\.services\.([^.]+)\.(.+)\Z", re.IGNORECASE)
_MIDDLEWARE: Final = re.compile(r"traefik\.http\.middlewares\.([^.]+)\.(.+)\Z", re.IGNORECASE)
_RATIO: Final = re.compile(r"(?:ResponseCodeRatio\(500, *600, *0, *600\)|NetworkErrorRatio\(\)) *>=? *(0?\.\d{1,2})\Z")
_SLOW: Final = re.compile(r"LatencyAtQuantileMS\([\d.]+\) *>=? *(\d+)(?:\.0*)?\Z")

_SERVERS: Final[Mapping[str, AnyKey]] = MappingProxyType(
    {
        "loadbalancer.server.weight": table.WEIGHT,
        "loadbalancer.healthcheck.path": table.HTTP,
        "loadbalancer.healthcheck.port": table.HEALTH_PORT,
        "loadbalancer.healthcheck.interval": table.INTERVAL,
        "loadbalancer.healthcheck.timeout": table.TIMEOUT_,
        "loadbalancer.passivehealthcheck.maxfailedattempts": table.FAILURES,
        "loadbalancer.passivehealthcheck.failurewindow": table.LOOKED_AT,
    }
)
_STRATEGIES: Final = MappingProxyType({"wrr": "round-robin", "p2c": "least-request", "hrw": "maglev", "leasttime": ""})
_GUARDS: Final = frozenset({"basicauth", "digestauth", "forwardauth", "ipallowlist", "ipwhitelist"})
"""Middlewares that keep people out: a route without one that its router names would let them in."""
_MATTERLESS: Final = frozenset({"loadbalancer.server.scheme=http", "loadbalancer.passhostheader=true"})
"""What is so here without a word."""


def translate(labels: Mapping[str, str]) -> Translation:
    """Return `traefik.*` labels as ours; keys are compared without case, as Traefik does."""
    found = Translation()
    ours = {label: value for label, value in labels.items() if label.lower().startswith(PREFIX)}
    if ours:
        _Reader(ours, found).read()
    return found


class _Reader:
    """Reads the labels of one container: what it says of itself first, then its services, then its routers."""

    def __init__(self, labels: Mapping[str, str], found: Translation) -> None:
        self._found = found
        self._labels = labels
        self._ports: dict[str, tuple[str, str]] = {}
        self._middlewares: dict[str, dict[str, tuple[str, str]]] = {}
        self._routers: dict[str, dict[str, tuple[str, str]]] = {}

    def read(self) -> None:
        for label, value in self._labels.items():
            self._sort(label, value)
        if not self._found.says(table.ENABLE):
            self._found.say(table.ENABLE, "true", next(iter(self._labels)))
        self._say_ports()
        used: set[str] = set()
        for name, fields in self._routers.items():
            used.update(self._route(name, fields))
        for name, fields in self._middlewares.items():
            if name not in used:
                for label, _ in fields.values():
                    self._found.leave(label, f"no router here names the middleware {name}")

    def _sort(self, label: str, value: str) -> None:
        lower = label.lower()
        if lower == "traefik.enable":
            self._found.say(table.ENABLE, value, label)
        elif lower in {"traefik.docker.network", "traefik.swarm.network"}:
            self._found.say(table.NETWORK, value, label)
        elif router := _ROUTER.match(label):
            self._routers.setdefault(router[1], {})[router[2].lower()] = (label, value)
        elif service := _SERVICE.match(label):
            self._server(service[1], service[2].lower(), label, value)
        elif middleware := _MIDDLEWARE.match(label):
            self._middlewares.setdefault(middleware[1], {})[middleware[2].lower()] = (label, value)
        elif lower.startswith(("traefik.tcp.", "traefik.udp.")):
            self._found.leave(label, "only HTTP is translated; say fairlead.protocol: tcp and its port")
        else:
            self._found.leave(label, "nothing here does that")

    def _server(self, name: str, field: str, label: str, value: str) -> None:
        if field == "loadbalancer.server.port":
            self._ports[name] = (label, value)
        elif field in _SERVERS:
            self._found.say(_SERVERS[field], value, label)
        elif field == "loadbalancer.strategy" and _STRATEGIES.get(value):
            self._found.say(table.LB, _STRATEGIES[value], label)
        elif field == "loadbalancer.server.scheme" and value == "h2c":
            self._found.say(table.PROTOCOL, value, label)
        elif field == "loadbalancer.sticky.cookie.name":
            self._found.leave(
                label, "Traefik sets that cookie, nothing here does; fairlead.lb: ring-hash with fairlead.hash"
            )
        elif field.startswith("weighted."):
            self._found.leave(label, "a split belongs to a rollout: fairlead.version, and fairlead canary start")
        elif f"{field}={value}" not in _MATTERLESS:
            self._found.leave(label, "nothing here does that")

    def _say_ports(self) -> None:
        """The only service's port is the container's own; of several, each is a port by its name, the first its own."""
        for at, (name, (label, value)) in enumerate(self._ports.items()):
            if at == 0:
                self._found.say(table.PORT_, value, label)
            else:
                self._found.say(table.PORTS, value, label, plain(name))

    def _route(self, router: str, fields: Mapping[str, tuple[str, str]]) -> list[str]:
        """Say the route of a router; return the middlewares that it names."""
        name = plain(router)
        _, named = fields.get("middlewares", ("", ""))
        used = [each.strip().partition("@")[0] for each in named.split(",")]
        if guards := list(filter(self._is_guard, used)):
            why = f"without {' and '.join(guards)} the route would be open to everybody: there is none"
            for label, _ in (*fields.values(), *(said for each in guards for said in self._middlewares[each].values())):
                self._found.leave(label, why)
            return used
        for field, (label, value) in fields.items():
            match field:
                case "rule":
                    self._found.say(table.RULE_, value, label, name)
                case "priority":
                    self._found.say(table.PRIORITY, value, label, name)
                case "middlewares":
                    for middleware in used:
                        self._apply(name, middleware, label)
                case "service":
                    self._send(name, value.partition("@")[0], label)
                case "entrypoints":
                    self._found.leave(label, "a gateway serves routes by their hosts, on all of its listeners")
                case _ if field == "tls" or field.startswith("tls."):
                    self._found.leave(label, "TLS is the gateway's")
                case _:
                    self._found.leave(label, "nothing here does that")
        if "rule" not in fields:
            label = next(iter(fields.values()))[0]
            self._found.leave(label, f"the router {router} has no rule; by default its host is made of a template")
        return used

    def _is_guard(self, middleware: str) -> bool:
        return any(field.partition(".")[0] in _GUARDS for field in self._middlewares.get(middleware, ()))

    def _send(self, route: str, service: str, label: str) -> None:
        if service not in self._ports:
            self._found.leave(label, f"the service {service} is not on this container")
        elif service != next(iter(self._ports)):
            self._found.say(table.ROUTE_PORT, plain(service), label, route)

    def _apply(self, route: str, middleware: str, named_by: str) -> None:
        fields = self._middlewares.get(middleware)
        if fields is None:
            self._found.leave(named_by, f"the middleware {middleware} is not on this container")
            return
        for field, (label, value) in fields.items():
            write = _MIDDLEWARES.get(field)
            if write is None or not write(self._found, route, value, label):
                self._found.leave(label, "nothing here does that")


def _key(key: AnyKey, *, of_route: bool = False) -> Callable[[Translation, str, str, str], bool]:
    def write(found: Translation, route: str, value: str, label: str) -> bool:
        found.say(key, value, label, *([route] if of_route else []))
        return True

    return write


def _strip(found: Translation, route: str, value: str, label: str) -> bool:
    first, *others = value.split(",")
    if others:
        return False
    found.say(table.STRIP, first.strip(), label, route)
    return True


def _attempts(found: Translation, _route: str, value: str, label: str) -> bool:
    """Traefik counts the first attempt, too."""
    if not value.isdecimal() or not 1 <= int(value) <= 11:
        return False
    found.say(table.ATTEMPTS, str(int(value) - 1), label)
    return True


def _breaker(found: Translation, _route: str, value: str, label: str) -> bool:
    """A ratio of errors or a latency, alone; our breaker has a smallest number of requests by itself."""
    first = value.partition("&&")[0].strip() if "RequestThreshold" in value else value.strip()
    if ratio := _RATIO.match(first):
        found.say(table.KEYS["breaker.errors"], f"{float(ratio[1]) * 100:.0f}%", label)
    elif slow := _SLOW.match(first):
        found.say(table.KEYS["slow-ms"], slow[1], label)
    return bool(ratio or _SLOW.match(first))


_MIDDLEWARES: Final[Mapping[str, Callable[[Translation, str, str, str], bool]]] = MappingProxyType(
    {
        "stripprefix.prefixes": _strip,
        "replacepath.path": _key(table.REWRITE, of_route=True),
        "retry.attempts": _attempts,
        "circuitbreaker.expression": _breaker,
        "inflightreq.amount": _key(table.KEYS["breaker.max-requests"]),
    }
)
