"""Routes: which requests go to a service, and how they are treated on the way.

A route matches by host, path, method, header and cookie; what it matches follows its service's split unless it
names a subset or carries a split of its own (it is then outside rollouts, and shown as such).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from xds.model.names import Key, ServiceKey, check_id
from xds.model.problems import InvalidInput
from xds.model.split import Split

MAX_HOSTS = 64
MAX_MATCHES = 16
MAX_PATTERN = 1024
MAX_PRIORITY = 1_000_000

_HOST = re.compile(r"(\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}\Z")  # RFC 9110 section 5.6.2
_METHOD = re.compile(r"[A-Z]{1,32}\Z")


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
    """A comparison of one header or cookie; `value` is empty for PRESENT and ABSENT."""

    name: str
    kind: MatchKind
    value: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """When and how often a request is tried again; times are seconds, `per_try` None means no own limit.

    `on` holds Envoy's retry conditions. A retry leaves the host that failed and picks its cluster anew, so
    that a failing canary does not keep its requests.
    """

    attempts: int = 2
    on: tuple[str, ...] = ("connect-failure", "refused-stream", "reset-before-request", "gateway-error")
    per_try: float | None = None

    def __post_init__(self) -> None:
        """Refuse attempts outside 0 to 10 and conditions that are not a single token."""
        if not 0 <= self.attempts <= 10:
            raise InvalidInput(f"{self.attempts} retry attempts, from 0 to 10 are allowed", pointer="/retry/attempts")
        for at, condition in enumerate(self.on):
            if not _TOKEN.match(condition):
                raise InvalidInput(f"{condition!r} is not a retry condition", pointer=f"/retry/on/{at}")
        if self.per_try is not None:
            check_timeout(self.per_try, pointer="/retry/per_try")


def check_timeout(seconds: float, *, pointer: str) -> float:
    """Return a timeout of 0 (none) to 86,400 seconds; InvalidInput at `pointer` otherwise."""
    if not 0 <= seconds <= 86_400:  # NaN fails both comparisons
        raise InvalidInput(f"{seconds} is not a timeout between 0 and 86400 seconds", pointer=pointer)
    return seconds


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
        if self.rewrite is not None and (not self.rewrite.startswith("/") or self.path.kind is PathKind.REGEX):
            raise InvalidInput("a rewrite begins with '/' and replaces a prefix or exact path", pointer="/rewrite")
        for name in ("timeout", "idle_timeout"):
            if (seconds := getattr(self, name)) is not None:
                check_timeout(seconds, pointer=f"/{name}")
        if self.subset and self.split:
            raise InvalidInput("a route has a subset or a split of its own, not both", pointer="/split")
        if self.split is not None and not self.split.segments:
            raise InvalidInput("a route's own split needs at least one weight", pointer="/split")

    def _check_match(self) -> None:
        if len(self.hosts) > MAX_HOSTS or len(self.headers) + len(self.cookies) > MAX_MATCHES:
            raise InvalidInput(
                f"at most {MAX_HOSTS} hosts and {MAX_MATCHES} header and cookie matches are allowed",
                pointer="/hosts",
            )
        for at, host in enumerate(self.hosts):
            if len(host) > 253 or not _HOST.match(host):
                raise InvalidInput(
                    f"{host!r} is not a host: use a lower-case name, *.name or *", pointer=f"/hosts/{at}"
                )
        if len(self.path.value) > MAX_PATTERN or not self.path.value.startswith(("/", "(", "[", ".", "^")):
            raise InvalidInput(f"path {self.path.value[:64]!r} does not begin with '/'", pointer="/path")
        if self.path.kind is not PathKind.REGEX and not self.path.value.startswith("/"):
            raise InvalidInput(f"path {self.path.value[:64]!r} does not begin with '/'", pointer="/path")
        for at, method in enumerate(self.methods):
            if not _METHOD.match(method):
                raise InvalidInput(f"{method!r} is not a method, as in GET", pointer=f"/methods/{at}")
        for group, matches in (("headers", self.headers), ("cookies", self.cookies)):
            for at, match in enumerate(matches):
                if not _TOKEN.match(match.name) or len(match.value) > MAX_PATTERN:
                    raise InvalidInput(f"{match.name!r} is not a name to match by", pointer=f"/{group}/{at}")
        if abs(self.priority) > MAX_PRIORITY:
            raise InvalidInput(f"priority {self.priority} is beyond {MAX_PRIORITY}", pointer="/priority")
