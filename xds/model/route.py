"""Routes: which requests go to a service, and how they are treated on the way.

A route matches by host, path, method, header, cookie and query; what it matches follows its service's split unless it
names a subset or carries a split of its own (it is then outside rollouts, and shown as such).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from xds.model.names import EVERY, Key, ServiceKey, check_id
from xds.model.problems import InvalidInput
from xds.model.split import Split

MAX_HOSTS = 64
MAX_MATCHES = 16
MAX_ATTEMPTS = 10
MAX_PATTERN = 1024
MAX_PRIORITY = 1_000_000

_HOST = re.compile(r"(\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}\Z")  # RFC 9110 section 5.6.2
_METHOD = re.compile(r"[A-Z]{1,32}\Z")
_REGEX_STARTS = ("/", "(", "[", ".", "^")  # how an expression that can match a path may begin
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # no header or path of a request can hold these
_REWRITE = re.compile(rf"/[^\x00-\x1f\x7f\ud800-\udfff]{{0,{MAX_PATTERN - 1}}}\Z")


class PathKind(StrEnum):
    """How a path is compared; REGEX is RE2 over the whole path, as Envoy does it."""

    PREFIX = "prefix"
    EXACT = "exact"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class PathMatch:
    """A comparison of the path without its query."""

    kind: PathKind = PathKind.PREFIX
    value: str = "/"


class MatchKind(StrEnum):
    """How a header's or cookie's value is compared; REGEX is RE2 over the whole value."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A comparison of one header, cookie or parameter of the query; `value` is empty for PRESENT and ABSENT."""

    name: str
    kind: MatchKind
    value: str = ""


UNSENT = ("connect-failure", "refused-stream", "reset-before-request")
"""Conditions under which nobody can have carried the request out, whatever its method."""
CONDITIONS = (*UNSENT, "gateway-error")
"""Those under which a request is tried again by default, the last one for idempotent methods only."""
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE")
"""Methods of requests that may be carried out twice (RFC 9110 section 9.2.2)."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When and how often a request is tried again; times are seconds, `per_try` None means no own limit.

    `on` holds Envoy's retry conditions, for every method; but of the default ones `gateway-error`, after which a
    request may have been carried out, holds for idempotent methods only. A retry leaves the host that failed and picks
    its cluster anew, so that a failing canary does not keep its requests.
    """

    attempts: int = 2
    on: tuple[str, ...] = CONDITIONS
    per_try: float | None = None

    def __post_init__(self) -> None:
        """Refuse attempts outside 0 to 10 and conditions that are not a single token."""
        if not 0 <= self.attempts <= MAX_ATTEMPTS:
            allowed = f"from 0 to {MAX_ATTEMPTS} are allowed"
            raise InvalidInput(f"{self.attempts} retry attempts, {allowed}", pointer="/retry/attempts")
        for at, condition in enumerate(self.on):
            if not _TOKEN.match(condition):
                raise InvalidInput(f"{condition!r} is not a retry condition", pointer=f"/retry/on/{at}")
        if self.per_try is not None:
            check_timeout(self.per_try, pointer="/retry/per_try")

    def by_methods(self, methods: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], Retry], ...]:
        """Return what holds for requests of `methods`, those that are in the first pair first; () is any method."""
        if self.on != CONDITIONS or not self.attempts:
            return ((methods, self),)
        careful = replace(self, on=UNSENT)
        safe = tuple(each for each in methods or IDEMPOTENT if each in IDEMPOTENT)
        others = tuple(each for each in methods if each not in IDEMPOTENT)
        both = ((safe, self), (others, careful))
        return both if not methods else tuple(pair for pair in both if pair[0])


def check_timeout(seconds: float, *, pointer: str) -> float:
    """Return a timeout of 0 (none) to 86,400 seconds; InvalidInput at `pointer` otherwise."""
    if not 0 <= seconds <= 86_400:  # NaN fails both comparisons
        raise InvalidInput(f"{seconds} is not a timeout between 0 and 86400 seconds", pointer=pointer)
    return seconds


def check_hostname(text: str, *, pointer: str) -> str:
    """Return a host that requests may be matched by: a name in lower case, `*.name` or `*`."""
    if len(text) > 253 or not _HOST.match(text):
        raise InvalidInput(f"{text[:64]!r} is not a host: use a lower-case name, *.name or *", pointer=pointer)
    return text


def check_subsets(split: Split, *, pointer: str) -> None:
    """Refuse a split that names what can be no subset."""
    for name in split.weights:
        if name != EVERY:
            check_id(name, pointer=pointer, what="subset")


@dataclass(frozen=True, slots=True)
class Route:
    """One rule. `key` is `<service>.<name>` inside the service's environment.

    `hosts` empty means the service's own name, inside the mesh only; gateways serve a route by its hosts. `port`
    names one of the service's ports ("" is its own). `rewrite` replaces the matched prefix. Higher `priority`
    goes first; within one priority the more specific match does. `timeout`, `idle_timeout` and `retry` None mean
    the service's.
    """

    key: Key
    service: ServiceKey
    hosts: tuple[str, ...] = ()
    path: PathMatch = PathMatch()
    methods: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    cookies: tuple[ValueMatch, ...] = ()
    queries: tuple[ValueMatch, ...] = ()
    priority: int = 0
    rewrite: str | None = None
    timeout: float | None = None
    idle_timeout: float | None = None
    retry: Retry | None = None
    port: str = ""
    subset: str = ""
    split: Split | None = None
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what Envoy would refuse or could never match, with a pointer to the field."""
        check_id(self.key.name, pointer="/name", what="route name")
        if self.key.env != self.service.env or not self.key.name.startswith(f"{self.service.name}."):
            raise InvalidInput(
                f"route {self.key} must be called {self.service.name}.<name>, in its service's env",
                pointer="/name",
            )
        self._check_match()
        if self.rewrite is not None and (not _REWRITE.match(self.rewrite) or self.path.kind is PathKind.REGEX):
            raise InvalidInput(
                f"a rewrite begins with '/', replaces a prefix or exact path, and has at most {MAX_PATTERN} characters "
                "without control characters",
                pointer="/rewrite",
            )
        for name in ("timeout", "idle_timeout"):
            if (seconds := getattr(self, name)) is not None:
                check_timeout(seconds, pointer=f"/{name}")
        if self.subset and self.split:
            raise InvalidInput("a route has a subset or a split of its own, not both", pointer="/split")
        if self.subset and self.subset != EVERY:
            check_id(self.subset, pointer="/subset", what="subset")
        if self.port:
            check_id(self.port, pointer="/port", what="port name")
        if self.split is not None:
            if not self.split.segments:
                raise InvalidInput("a route's own split needs at least one weight", pointer="/split")
            check_subsets(self.split, pointer="/split")

    def _check_match(self) -> None:
        if len(self.hosts) > MAX_HOSTS:
            raise InvalidInput(f"{len(self.hosts)} hosts, at most {MAX_HOSTS} are allowed", pointer="/hosts")
        groups = {"headers": self.headers, "cookies": self.cookies, "queries": self.queries}
        if (found := sum(map(len, groups.values()))) > MAX_MATCHES:
            raise InvalidInput(
                f"{found} header, cookie and query matches, at most {MAX_MATCHES} are allowed",
                pointer=next(f"/{group}" for group, matches in groups.items() if matches),
            )
        for at, host in enumerate(self.hosts):
            check_hostname(host, pointer=f"/hosts/{at}")
        path, first = self.path.value, _REGEX_STARTS if self.path.kind is PathKind.REGEX else ("/",)
        if len(path) > MAX_PATTERN:
            raise InvalidInput(f"path of {len(path)} characters, at most {MAX_PATTERN} are allowed", pointer="/path")
        if not path.startswith(first) or _UNSENDABLE.search(path):
            raise InvalidInput(
                f"path {path[:64]!r} does not begin with '/', or has control characters", pointer="/path"
            )
        for at, method in enumerate(self.methods):
            if not _METHOD.match(method):
                raise InvalidInput(f"{method!r} is not a method, as in GET", pointer=f"/methods/{at}")
        for group, matches in groups.items():
            for at, match in enumerate(matches):
                check_value_match(match, pointer=f"/{group}/{at}")
        for at, match in enumerate(self.queries):
            if match.kind is MatchKind.ABSENT:
                raise InvalidInput("the absence of a parameter cannot be matched", pointer=f"/queries/{at}")
        if abs(self.priority) > MAX_PRIORITY:
            raise InvalidInput(f"priority {self.priority} is beyond {MAX_PRIORITY}", pointer="/priority")


def check_value_match(match: ValueMatch, *, pointer: str) -> None:
    """Refuse a comparison that no request can pass; InvalidInput at `pointer`."""
    if not _TOKEN.match(match.name):
        raise InvalidInput(f"{match.name[:64]!r} is not a name to match by", pointer=pointer)
    if len(match.value) > MAX_PATTERN or _UNSENDABLE.search(match.value):
        raise InvalidInput(
            f"the value of {match.name!r} has more than {MAX_PATTERN} characters, or control characters",
            pointer=pointer,
        )
    if match.kind in {MatchKind.PREFIX, MatchKind.REGEX} and not match.value:
        raise InvalidInput(f"an empty {match.kind}; to match any value use present", pointer=pointer)
