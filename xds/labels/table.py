"""Every label that Fairlead reads: the one table that the parser works from and docs/labels.md is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xds.labels.keys import PREFIX, AnyKey, Key, Keys
from xds.labels.values import (
    ADDRESS,
    FLAG,
    ID,
    INGRESS,
    ITEMS,
    KEY,
    LEAST_RATE,
    MATCH,
    MOST_DELTA,
    MOST_TIME,
    PATH,
    PERCENT,
    PORT,
    SECONDS,
    STEPS,
    TEXT,
    Type,
    one_of,
    whole,
    whole_percent,
)
from xds.labels.words import DockerHealth, Entry
from xds.model.analysis import ENOUGH, MOST_REQUESTS, NoData
from xds.model.balancing import MOST_FAILURES, Balancing, Outlier
from xds.model.callers import ALLOW_FROM
from xds.model.check import MAX_COUNT, Check, CheckKind
from xds.model.instance import DEFAULT_WEIGHT, MAX_WEIGHT
from xds.model.names import DEFAULT_ENV
from xds.model.reach import UPSTREAMS
from xds.model.route import MAX_ATTEMPTS, MAX_PRIORITY, Retry
from xds.model.service import Protocol
from xds.translate.policy import BREAKER, LIMITS, RULE, read_callers, read_flag, read_limit, read_rule
from xds.wire.filter_schema import BreakerRule

_CHECK: Final = Check(CheckKind.TCP)
_OUTLIER: Final = Outlier()

# identity
ENABLE = Key(
    "enable", FLAG, "opts the container in, or out where it says `false`", "`true` if `service` is said", "true"
)
SERVICE = Key(
    "service", ID, "the service that it is an instance of", "`com.docker.compose.service`", "checkout", essential=True
)
VERSION = Key(
    "version", ID, "its version, a subset by itself",
    "`org.opencontainers.image.version`, else the image's tag (not `latest`), else its digest", "2.4.1", essential=True,
)  # fmt: skip
PORT_ = Key("port", PORT, "the port that it listens on", "the only one that it exposes", "8080", essential=True)
PORTS = Key("ports.<name>", PORT, "another port, reached as `<service>.<name>`", "", "9000", essential=True)
PROTOCOL = Key("protocol", one_of(Protocol), "what its port speaks", "`http`", "grpc")
ENV = Key("env", ID, "the environment: a wall", f"`{DEFAULT_ENV}`", "prod", essential=True)
REGION = Key("region", ID, "where it runs", "the agent's", "eu")
ZONE = Key("zone", ID, "where it runs, closer", "the agent's", "eu-1a")
WEIGHT = Key(
    "weight", whole(0, MAX_WEIGHT), "relative weight inside its version; 0 takes it out", f"`{DEFAULT_WEIGHT}`", "50"
)
TAGS = Key("tags", ITEMS, "each becomes the label `tag.<tag>: true`, for selectors", "", "blue,eu")
META = Key("meta.<key>", TEXT, "kept and shown, seen by nobody else", "", "1f0c5b2")
NETWORK = Key("network", TEXT, "the network whose address is used", "one shared with Envoy, proven by a probe", "front",
              essential=True)  # fmt: skip
ADDRESS_ = Key("address", ADDRESS, "which address is registered", "`auto`", "published", essential=True)
INGRESS_ = Key("ingress", INGRESS, "where its sidecar listens: Envoys, and its check, are sent there",
               "it has no sidecar", "15006", essential=True)  # fmt: skip
DRAIN = Key("drain", SECONDS, "how long requests in flight may take when it is stopped", "`10s`", "30s")
CALLS = Key(UPSTREAMS.removeprefix(PREFIX), ITEMS, "the services that it calls: its sidecar gets no others",
            "everything", "cart,search")  # fmt: skip

# health
HTTP = Key("health.http", PATH, "asks this path for a 2xx answer", "", "/healthz", "health")
TCP = Key("health.tcp", FLAG, "asks for a connection", "`true` if nothing else is asked", "true", "health")
GRPC = Key("health.grpc", TEXT, "asks grpc.health.v1 for a service; `*` for the server as a whole", "", "*", "health")
HEALTH_PORT = Key("health.port", PORT, "asks there instead", "its own port", "9000", "health")
DOCKER = Key("health.docker", one_of(DockerHealth), "whether the image's own HEALTHCHECK counts", "`use`", "require",
             "health")  # fmt: skip
INTERVAL = Key("health.interval", SECONDS, "from one question to the next", f"`{_CHECK.interval:g}s`", "2s", "health")
TIMEOUT_ = Key("health.timeout", SECONDS, "how long an answer may take", f"`{_CHECK.deadline:g}s`", "1s", "health")
RISE = Key("health.healthy", whole(1, MAX_COUNT), "good answers in a row before it gets traffic", f"`{_CHECK.rise}`",
           "3", "health")  # fmt: skip
FALL = Key("health.unhealthy", whole(1, MAX_COUNT), "bad ones in a row before it gets none", f"`{_CHECK.fall}`", "2",
           "health")  # fmt: skip
GRACE = Key("health.start-grace", SECONDS, "so long nobody is alarmed that it is not ready yet",
            f"`{_CHECK.start_period:g}s`", "2m", "health")  # fmt: skip

# routes
HOST = Key("route.<name>.host", ITEMS, "hosts that it matches", "the service's own name, in the mesh only",
           "api.example.com", "route")  # fmt: skip
PREFIX_ = Key("route.<name>.path", PATH, "a prefix of the path", "`/`", "/v1", "route")
EXACT = Key("route.<name>.path-exact", PATH, "the whole path", "", "/healthz", "route")
REGEX = Key("route.<name>.path-regex", TEXT, "an expression (RE2) for the whole path", "", "/v[0-9]+/.*", "route")
METHOD = Key("route.<name>.method", ITEMS, "methods that it matches", "all", "GET,POST", "route")
HEADER = Key("route.<name>.header.<header>", MATCH, "a header's value", "", "acme", "route")
COOKIE = Key("route.<name>.cookie.<cookie>", MATCH, "a cookie's value", "", "~a|b", "route")
QUERY = Key("route.<name>.query.<parameter>", MATCH, "the value of a parameter of the query", "", "gold", "route")
PRIORITY = Key("route.<name>.priority", whole(-MAX_PRIORITY, MAX_PRIORITY), "higher goes first; then the more specific",
               "`0`", "10", "route")  # fmt: skip
RULE_ = Key("route.<name>.rule", TEXT, "all of the above in Traefik's words instead", "",
            "Host(`a.example`) && PathPrefix(`/v1`)", "route")  # fmt: skip
STRIP = Key("route.<name>.strip-prefix", PATH, "taken off the path", "", "/v1", "route")
REWRITE = Key("route.<name>.rewrite", PATH, "takes the place of what the path matched", "", "/", "route")
ROUTE_TIMEOUT = Key("route.<name>.timeout", SECONDS, "how long an answer may take; `0` is no limit", "the service's",
                    "5s", "route")  # fmt: skip
IDLE = Key("route.<name>.idle-timeout", SECONDS, "how long nothing may move", "Envoy's", "5m", "route")
ROUTE_PORT = Key(
    "route.<name>.port", ID, "the name of another port to send it to", "the service's own", "admin", "route"
)

# the service's policy
TIMEOUT = Key("timeout", SECONDS, "how long an answer may take; `0` is no limit", "`15s`", "5s")
ATTEMPTS = Key("retry.attempts", whole(0, MAX_ATTEMPTS), "how often a request is tried again", f"`{Retry().attempts}`",
               "3", "retry")  # fmt: skip
RETRY_ON = Key(
    "retry.on",
    ITEMS,
    "Envoy's conditions, for every method; the default's last one is for idempotent methods only",
    f"`{','.join(Retry().on)}`",
    "5xx,reset",
    "retry",
)
PER_TRY = Key("retry.per-try", SECONDS, "how long each try may take", "", "2s", "retry")
FAILURES = Key("outlier.consecutive-5xx", whole(1, MOST_FAILURES), "failures in a row that leave an instance out",
               f"`{_OUTLIER.consecutive_5xx}`", "3", "outlier")  # fmt: skip
LOOKED_AT = Key(
    "outlier.interval", SECONDS, "how often they are looked at", f"`{_OUTLIER.interval:g}s`", "5s", "outlier"
)
EJECTION = Key("outlier.ejection", SECONDS, "how long it is left out, longer each time", f"`{_OUTLIER.ejection:g}s`",
               "1m", "outlier")  # fmt: skip
EJECTED = Key("outlier.max-ejected", whole_percent(1), "share of a version's instances that may be out at a time",
              f"`{_OUTLIER.max_ejected}%`", "25%", "outlier")  # fmt: skip
LB = Key("lb", one_of(Balancing), "how instances share requests", "`round-robin`", "least-request", "lb")
HASH = Key("hash", KEY, "what `ring-hash` and `maglev` look at", "`source-ip`", "cookie:sid", "lb")

# canary
CANARY = Key(
    "canary", one_of(Entry), "how a version that nobody has seen comes in: by a rollout that waits at 0 % for somebody "
    "and follows the plan below (`auto`), by hand (`manual`), or with everybody at once (`off`)", "`auto`", "manual",
    "canary",
)  # fmt: skip
STEPS_ = Key("canary.steps", STEPS, "the weights of its rollout", "none: weights by hand", "1,5,25,50,100", "canary")
STEP_INTERVAL = Key("canary.interval", SECONDS, "how long each is held", "until somebody says so", "2m", "canary")
MOST = Key("canary.max", PERCENT, "no step goes beyond", "`100`", "50", "canary")
AUTO_PROMOTE = Key("canary.auto-promote", FLAG, "promotes after the last step", "`false`", "true", "canary")
MIN_REQUESTS = Key(
    "canary.min-requests", whole(1, MOST_REQUESTS), "requests that a step needs before it is judged; without an "
    "interval it goes on as soon as they were good", f"`{ENOUGH}` where it is judged", "200", "canary",
)  # fmt: skip
SUCCESS_RATE = Key("canary.success-rate", LEAST_RATE, "share of its requests that must not fail", "", ">=99", "canary")
P99 = Key("canary.p99", MOST_TIME, "time that 99 of 100 answers stay within", "", "<=500ms", "canary")
ERROR_DELTA = Key(
    "canary.vs-stable.error-delta", MOST_DELTA, "how many more of its requests may fail than of the stable version's",
    "", "<=0.5pp", "canary",
)  # fmt: skip
NO_DATA = Key("canary.no-data", one_of(NoData), "what too few requests mean", "`pause`", "fail", "canary")
ROLLBACK = Key(
    "canary.auto-rollback", FLAG, "takes it back when it is judged bad; else it pauses", "`true`", "false", "canary"
)
STICKY = Key("canary.sticky", KEY, "what keeps a user with a version", "`source-ip`", "cookie:uid")
MATCH_HEADER = Key("canary.match.header.<header>", MATCH, "requests with this header go to it while its rollout lasts, "
                   "also at 0 %; of several matches one is enough", "", "insider", "canary")  # fmt: skip
MATCH_COOKIE = Key("canary.match.cookie.<cookie>", MATCH, "the same by a cookie", "", "always", "canary")
MIRROR = Key("canary.mirror", PERCENT, "share of all requests that it gets as copies while its rollout lasts; what "
             "copies do is real, and their answers are thrown away", "`0`", "10%", "canary")  # fmt: skip
LATER = (
    Key("spiffe", ID, "the name in its certificate", "", "checkout", acts=False),
)  # fmt: skip


def _rule(label: str, field: str) -> AnyKey:
    about = BreakerRule.model_fields[field]
    kind = (
        FLAG.name
        if field == "service"
        else "whole number or percent"
        if field in {"errors", "slow"}
        else "whole number"
    )
    default = str(about.default).lower() if isinstance(about.default, bool) else str(about.default)
    example = "true" if field == "service" else str(about.default or 250)
    does = str(about.description).rstrip(".").replace("\n", " ")
    return Key(
        label.removeprefix(PREFIX), Type(kind, lambda text: read_rule(field, text)), does, f"`{default}`", example
    )


def _limit(label: str, field: str) -> AnyKey:
    does = {
        "connections": "open connections", "pending": "requests that wait for a connection",
        "requests": "requests in flight", "retries": "retries in flight",
        "retry_budget": "percent of the requests in flight that may be retries",
    }[field]  # fmt: skip
    kind = Type("whole percent" if field == "retry_budget" else "whole number", lambda text: read_limit(field, text))
    return Key(label.removeprefix(PREFIX), kind, does, "", "20%" if field == "retry_budget" else "256")


BREAKER_ = Key(BREAKER.removeprefix(PREFIX), Type(FLAG.name, read_flag), "a circuit breaker for each version, or none",
               "`false`", "true")  # fmt: skip
BREAKERS = tuple(_rule(label, field) for label, field in RULE.items())
BOUNDS = tuple(_limit(label, field) for label, field in LIMITS.items())
CALLERS = Key(ALLOW_FROM.removeprefix(PREFIX), Type(ITEMS.name, read_callers), "who may call it",
              "everybody", "shop,10.0.9.0/24")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """Keys that are read about together, and what is true of all of them."""

    title: str
    words: str
    keys: tuple[AnyKey, ...]


SECTIONS: Final = (
    Section(
        "Identity",
        "Facts about this instance.",
        (ENABLE, SERVICE, VERSION, PORT_, PORTS, ENV, REGION, ZONE, WEIGHT, TAGS, META, NETWORK, ADDRESS_,
         INGRESS_, DRAIN, CALLS),
    ),
    Section(
        "Health",
        "When it is ready, and whether it still is. One of `http`, `tcp` and `grpc`.",
        (HTTP, TCP, GRPC, HEALTH_PORT, DOCKER, INTERVAL, TIMEOUT_, RISE, FALL, GRACE),
    ),
    Section(
        "Routes",
        "Which requests go to the service; `<name>` is yours. They belong to the service.",
        (HOST, PREFIX_, EXACT, REGEX, METHOD, HEADER, COOKIE, QUERY, PRIORITY, RULE_, STRIP, REWRITE, ROUTE_TIMEOUT,
         IDLE, ROUTE_PORT),
    ),
    Section(
        "Policy",
        "How requests to the service are treated. It belongs to the service.",
        (PROTOCOL, TIMEOUT, ATTEMPTS, RETRY_ON, PER_TRY, LB, HASH, FAILURES, LOOKED_AT, EJECTION, EJECTED, STICKY,
         CALLERS, BREAKER_, *BREAKERS, *BOUNDS),
    ),
    Section(
        "Canary",
        "How this version would like to come in. What runs is in the API, and outlives the container.",
        (CANARY, STEPS_, STEP_INTERVAL, MOST, AUTO_PROMOTE, MATCH_HEADER, MATCH_COOKIE, MIRROR, MIN_REQUESTS,
         SUCCESS_RATE, P99, ERROR_DELTA, NO_DATA, ROLLBACK, *LATER),
    ),
)  # fmt: skip
"""In the order in which people read about them."""

KEYS: Final = Keys(key for section in SECTIONS for key in section.keys)
