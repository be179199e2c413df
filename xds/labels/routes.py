"""The routes that labels ask for, each a facet of its own: one that cannot be is left out, the others stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from xds.labels import table
from xds.labels.keys import AnyKey
from xds.labels.reading import Found
from xds.labels.rule import RuleMatch, read_rule
from xds.model.names import Key, ServiceKey
from xds.model.problems import InvalidInput
from xds.model.route import MatchKind, PathKind, PathMatch, Route, ValueMatch
from xds.model.service import Protocol
from xds.translate.regex import check_regex

_PATHS: Final = {table.PREFIX_: PathKind.PREFIX, table.EXACT: PathKind.EXACT, table.REGEX: PathKind.REGEX}
_BY_RULE: Final[tuple[AnyKey, ...]] = (table.HOST, *_PATHS, table.METHOD, table.HEADER, table.QUERY)
_PLACES: Final[Mapping[str, AnyKey]] = {
    "/hosts": table.HOST, "/methods": table.METHOD, "/timeout": table.ROUTE_TIMEOUT, "/idle_timeout": table.IDLE,
    "/rewrite": table.REWRITE, "/port": table.ROUTE_PORT, "/priority": table.PRIORITY,
}  # fmt: skip
"""The key from which a field of a route comes, where it is one."""


def routes(found: Found, service: ServiceKey, protocol: Protocol | None, ports: Mapping[str, int]) -> tuple[Route, ...]:
    """Return the routes of a service that its labels ask for, by name; mistakes are noted and cost their route."""
    made: list[Route] = []
    for name in found.routes():
        if f"route {name}" in found.lost:
            continue
        if protocol is Protocol.TCP:
            found.lose(_said(found, name), (name,), "a TCP service has no requests to match")
            continue
        try:
            made += _Maker(found, service, name, ports).make()
        except _Wrong as wrong:
            found.lose(wrong.key, (name, *wrong.places), wrong.message)
    return tuple(made)


class _Wrong(Exception):
    """A route cannot be: which of its keys says so, what stands in that key's last place, and why."""

    def __init__(self, key: AnyKey, message: str, *places: str) -> None:
        super().__init__(message)
        self.key, self.message, self.places = key, message, places


class _Maker:
    """Makes the routes of one name: one, or as many as its rule has alternatives."""

    def __init__(self, found: Found, service: ServiceKey, name: str, ports: Mapping[str, int]) -> None:
        self._found, self._service, self._name, self._ports = found, service, name, ports
        self._headers = values_of(found, table.HEADER, name)
        self._cookies = values_of(found, table.COOKIE, name)
        self._queries = values_of(found, table.QUERY, name)

    def make(self) -> Iterator[Route]:
        """Yield them; _Wrong says why not."""
        port = self._found.one(table.ROUTE_PORT, self._name) or ""
        if port and port not in self._ports:
            raise _Wrong(table.ROUTE_PORT, f"it has no port {port!r}; it has {', '.join(self._ports)}")
        for at, match in enumerate(self._matches()):
            name = f"{self._service.name}.{self._name}" + (f"-{at + 1}" if at else "")
            try:
                yield self._route(name, match, port)
            except InvalidInput as error:
                raise self._blamed(error) from None

    def _route(self, name: str, match: RuleMatch, port: str) -> Route:
        for value in (*match.headers, *self._cookies, *match.queries):
            if value.kind is MatchKind.REGEX:
                check_regex(value.value, pointer=f"/values/{value.name}")
        if match.path.kind is PathKind.REGEX:
            check_regex(match.path.value, pointer="/path")
        return Route(
            Key(self._service.env, name),
            self._service,
            hosts=match.hosts,
            path=match.path,
            methods=match.methods,
            headers=match.headers,
            cookies=self._cookies,
            queries=match.queries,
            priority=self._found.one(table.PRIORITY, self._name) or 0,
            rewrite=self._rewrite(match.path),
            timeout=self._found.one(table.ROUTE_TIMEOUT, self._name),
            idle_timeout=self._found.one(table.IDLE, self._name),
            port=port,
        )

    def _matches(self) -> tuple[RuleMatch, ...]:
        found, name = self._found, self._name
        rule = found.one(table.RULE_, name)
        if rule is None:
            hosts, methods = found.one(table.HOST, name) or (), found.one(table.METHOD, name) or ()
            return (RuleMatch(hosts, self._path(), methods, self._headers, self._queries),)
        if any(found.one(key, name) is not None or found.named(key, name) for key in _BY_RULE):
            raise _Wrong(table.RULE_, "a rule says it all: host, path, method, header and query do not stand beside it")
        try:
            read = read_rule(rule)
        except InvalidInput as error:
            raise _Wrong(table.RULE_, error.message) from None
        if not read.matches:
            raise _Wrong(table.RULE_, "; ".join(read.left_out))
        for words in read.left_out:
            found.note(table.RULE_.at(name), f"{words}; this alternative is left out")
        return read.matches

    def _path(self) -> PathMatch:
        said = {key: value for key in _PATHS if (value := self._found.one(key, self._name)) is not None}
        if len(said) > 1:
            first, second, *_ = (key.at(self._name) for key in said)
            raise _Wrong(next(iter(said)), f"a route compares one path, and {first} and {second} are two")
        return next((PathMatch(_PATHS[key], value) for key, value in said.items()), PathMatch())

    def _rewrite(self, path: PathMatch) -> str | None:
        """Return what takes the place of the matched path, also where something is only taken off it."""
        strip, rewrite = self._found.one(table.STRIP, self._name), self._found.one(table.REWRITE, self._name)
        if strip is None:
            return rewrite
        if rewrite is not None:
            raise _Wrong(table.STRIP, "a path is rewritten or stripped, not both")
        if path.kind is PathKind.REGEX or not path.value.startswith(strip.rstrip("/")):
            raise _Wrong(table.STRIP, f"{strip} is not how the paths that it matches begin ({path.value[:64]})")
        rest = path.value.removeprefix(strip.rstrip("/"))
        return rest if rest.startswith("/") else f"/{rest}"

    def _blamed(self, error: InvalidInput) -> _Wrong:
        """Return an error of the model as one of the label that it comes from."""
        _, group, *rest = [*error.pointer.split("/"), ""]
        last = rest[0] if rest else ""
        values = {"headers": self._headers, "cookies": self._cookies, "queries": self._queries}
        keys: dict[str, AnyKey] = {"headers": table.HEADER, "cookies": table.COOKIE, "queries": table.QUERY}
        for name, matches in values.items():
            for at, match in enumerate(matches):
                if (group, last) in {(name, str(at)), ("values", match.name)}:
                    return _Wrong(keys[name], error.message, match.name)
        if self._found.one(table.RULE_, self._name) is not None and group not in {"timeout", "idle_timeout"}:
            return _Wrong(table.RULE_, error.message)
        key = _PLACES.get(f"/{group}")
        if group == "rewrite" and self._found.one(table.STRIP, self._name) is not None:
            key = table.STRIP
        return _Wrong(key or _said(self._found, self._name), error.message)


def values_of(found: Found, key: AnyKey, *names: str) -> tuple[ValueMatch, ...]:
    """Return the comparisons that a key says, by what stands in its last place, with `names` in those before it."""
    return tuple(ValueMatch(name, kind, value) for name, (kind, value) in sorted(found.named(key, *names).items()))


def _said(found: Found, name: str) -> AnyKey:
    """Return a key that says something of a route, its path before others."""
    keys = [key for key in (*_PATHS, *table.KEYS) if key.facet == "route"]
    return next((key for key in keys if found.one(key, name) is not None), table.PREFIX_)
