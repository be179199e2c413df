"""Traefik's rules, read as what a route of ours can match: ``Host(`a`) && (PathPrefix(`/v1`) || Method(`GET`))``.

    rule        = conjunction { "||" conjunction }
    conjunction = term { "&&" term }
    term        = "!" term | "(" rule ")" | name "(" string { "," string } ")"

A rule becomes alternatives, each of them a route. One condition that cannot be said costs its alternative: without the
condition it would match more than its author wants. Source: Traefik's documentation of rules, versions 2 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn

from xds.labels.values import shown
from xds.model.problems import InvalidInput
from xds.model.route import MatchKind, PathKind, PathMatch, ValueMatch

ANY_PATH: Final = PathMatch()
MAX_ALTERNATIVES: Final = 16
MAX_DEPTH: Final = 16
_TOKEN: Final = re.compile(r"\s*(?:(&&|\|\||[!(),])|`([^`]*)`|\"([^\"]*)\"|([A-Za-z]+))")
_ANY_LABEL: Final = re.compile(r"\^?(?:\.[+*]|\[\^\.\][+*])\\\.((?:[a-z0-9-]|\\\.)+)\$?\Z")


class Term(NamedTuple):
    """One condition as written."""

    name: str
    arguments: tuple[str, ...]
    negated: bool

    def __str__(self) -> str:
        """Return it in Traefik's words."""
        return f"{'!' * self.negated}{self.name}({', '.join(f'`{argument}`' for argument in self.arguments)})"


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What one alternative matches."""

    hosts: tuple[str, ...] = ()
    path: PathMatch = ANY_PATH
    methods: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    queries: tuple[ValueMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as alternatives; `left_out` says which cannot be said, and why."""

    matches: tuple[RuleMatch, ...]
    left_out: tuple[str, ...] = ()


def read_rule(text: str) -> Rule:
    """Read a rule; InvalidInput, with the position, for what is none."""
    matches: list[RuleMatch] = []
    left_out: list[str] = []
    for terms in _Reader(text).read():
        try:
            made = RuleMatch()
            for term in terms:
                made = _with(made, term)
            _add(matches, made)
        except InvalidInput as error:
            left_out.append(error.message)
    return Rule(tuple(matches), tuple(left_out))


def _add(matches: list[RuleMatch], made: RuleMatch) -> None:
    """Add an alternative; one that differs from the last by its host alone is the same route under both."""
    if matches and matches[-1].hosts and made.hosts and replace(matches[-1], hosts=()) == replace(made, hosts=()):
        matches[-1] = replace(made, hosts=tuple(dict.fromkeys(matches[-1].hosts + made.hosts)))
    else:
        matches.append(made)


def _with(match: RuleMatch, term: Term) -> RuleMatch:
    if term.negated and term.name not in {"Header", "Headers"}:
        raise InvalidInput(f"{term}: only the absence of a header can be said, by !Header(`name`)")
    write = _WRITERS.get(term.name)
    if write is None:
        raise InvalidInput(f"{term}: nothing here matches that way")
    return write(match, term)


def _host(match: RuleMatch, term: Term) -> RuleMatch:
    if match.hosts:
        raise InvalidInput(f"{term}: a request has one host")
    return replace(match, hosts=tuple(argument.lower() for argument in term.arguments))


def _host_regexp(match: RuleMatch, term: Term) -> RuleMatch:
    found = [_ANY_LABEL.match(argument) for argument in term.arguments]
    if match.hosts or not all(found):
        raise InvalidInput(f"{term}: hosts are names or *.name")
    return replace(match, hosts=tuple("*." + each[1].replace("\\.", ".") for each in found if each))


def _path(kind: PathKind) -> Callable[[RuleMatch, Term], RuleMatch]:
    def write(match: RuleMatch, term: Term) -> RuleMatch:
        if match.path != ANY_PATH or len(term.arguments) != 1:
            raise InvalidInput(f"{term}: a route compares one path, once")
        [value] = term.arguments
        if kind is not PathKind.REGEX and "{" in value:
            raise InvalidInput(f"{term}: expressions inside a path are PathRegexp since version 3")
        return replace(match, path=PathMatch(kind, _whole(value) if kind is PathKind.REGEX else value))

    return write


def _method(match: RuleMatch, term: Term) -> RuleMatch:
    if match.methods:
        raise InvalidInput(f"{term}: a request has one method")
    return replace(match, methods=tuple(argument.upper() for argument in term.arguments))


def _header(match: RuleMatch, term: Term) -> RuleMatch:
    name, *rest = term.arguments
    if term.negated:
        if rest:
            raise InvalidInput(f"{term}: only the absence of a header can be said, by !Header(`name`)")
        return replace(match, headers=(*match.headers, ValueMatch(name, MatchKind.ABSENT)))
    return replace(match, headers=(*match.headers, _value(name, rest, term)))


def _header_regexp(match: RuleMatch, term: Term) -> RuleMatch:
    if len(term.arguments) != 2:
        raise InvalidInput(f"{term}: has a name and an expression")
    name, pattern = term.arguments
    return replace(match, headers=(*match.headers, ValueMatch(name, MatchKind.REGEX, _whole(pattern))))


def _query(match: RuleMatch, term: Term) -> RuleMatch:
    arguments = list(term.arguments)
    if len(arguments) == 1 and "=" in arguments[0]:  # as version 2 has it
        arguments = arguments[0].split("=", 1)
    name, *rest = arguments
    return replace(match, queries=(*match.queries, _value(name, rest, term)))


def _value(name: str, rest: list[str], term: Term) -> ValueMatch:
    if len(rest) > 1:
        raise InvalidInput(f"{term}: has a name and a value")
    return ValueMatch(name, MatchKind.EXACT, rest[0]) if rest else ValueMatch(name, MatchKind.PRESENT)


def _whole(pattern: str) -> str:
    """Return an expression for the whole text that matches where `pattern` is found in it."""
    head = "" if pattern.startswith("^") else ".*"
    tail = "" if pattern.endswith("$") and not pattern.endswith("\\$") else ".*"
    return head + pattern.removeprefix("^").removesuffix("" if tail else "$") + tail


_WRITERS: Final[Mapping[str, Callable[[RuleMatch, Term], RuleMatch]]] = MappingProxyType(
    {
        "Host": _host,
        "HostRegexp": _host_regexp,
        "Path": _path(PathKind.EXACT),
        "PathPrefix": _path(PathKind.PREFIX),
        "PathRegexp": _path(PathKind.REGEX),
        "Method": _method,
        "Header": _header,
        "Headers": _header,
        "HeaderRegexp": _header_regexp,
        "HeadersRegexp": _header_regexp,
        "Query": _query,
    }
)

_Alternatives = list[tuple[Term, ...]]


class _Reader:
    """Reads by descent; every result is a list of alternatives, each a list of terms."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens = list(self._split())
        self._depth = 0

    def read(self) -> _Alternatives:
        found = self._rule(negated=False)
        if self._tokens:
            self._stop(f"{self._tokens[0][1]!r} is not expected")
        return found

    def _split(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while self._text[at:].strip():
            token = _TOKEN.match(self._text, at)
            if token is None:
                rest = self._text[at:].lstrip()
                self._at = len(self._text) - len(rest)
                self._stop(f"{shown(rest[:8])} is not expected")
            sign, quoted, double, name = token.groups()
            value = next(each for each in (sign, quoted, double, name) if each is not None)
            kind = "sign" if sign is not None else "name" if name is not None else "text"
            yield kind, value, token.start(token.lastindex or 0)
            at = token.end()

    def _rule(self, *, negated: bool) -> _Alternatives:
        """Read alternatives; the negation of a sum is a product, and the other way round."""
        found = self._conjunction(negated=negated)
        while self._takes("||"):
            other = self._conjunction(negated=negated)
            found = self._both(found, other) if negated else self._either(found, other)
        return found

    def _conjunction(self, *, negated: bool) -> _Alternatives:
        found = self._term(negated=negated)
        while self._takes("&&"):
            other = self._term(negated=negated)
            found = self._either(found, other) if negated else self._both(found, other)
        return found

    def _term(self, *, negated: bool) -> _Alternatives:
        self._depth += 1
        if self._depth > MAX_DEPTH * 4:
            self._stop("the rule is too deep, or too long")
        while self._takes("!"):
            negated = not negated
        if self._takes("("):
            found = self._rule(negated=negated)
            self._expect(")")
            return found
        name = self._next("name", "a matcher, as in Host(`a.example`)")
        self._expect("(")
        arguments = [self._next("text", "text in backticks")]
        while self._takes(","):
            arguments.append(self._next("text", "text in backticks"))
        self._expect(")")
        return [(Term(name, tuple(arguments), negated),)]

    def _either(self, one: _Alternatives, other: _Alternatives) -> _Alternatives:
        return self._few(one + other)

    def _both(self, one: _Alternatives, other: _Alternatives) -> _Alternatives:
        return self._few([first + second for first in one for second in other])

    def _few(self, found: _Alternatives) -> _Alternatives:
        if len(found) > MAX_ALTERNATIVES:
            self._stop(f"more than {MAX_ALTERNATIVES} alternatives")
        return found

    def _takes(self, sign: str) -> bool:
        if self._tokens and self._tokens[0][:2] == ("sign", sign):
            self._at = self._tokens.pop(0)[2]
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            self._stop(f"{sign!r} is missing")

    def _next(self, kind: str, wanted: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            self._stop(f"{wanted} is missing")
        _, value, self._at = self._tokens.pop(0)
        return value

    def _stop(self, message: str) -> NoReturn:
        at = self._tokens[0][2] if getattr(self, "_tokens", None) else max(self._at, 0)
        raise InvalidInput(f"{message}, at position {at + 1}")
