"""A real Envoy whose routes have breakers: three versions of an app, which do as the requests say.

A request says how a version answers it: `x-fails: 2` and version 2 answers 503, `x-slow: 2` and it takes 150 ms. Each
route is a service of its own by its path, with a rule of its own, over the same clusters; so tests share an Envoy.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.filter_envoy import HEADER, SLOT, Json, cluster, listener, start, typed, wasm
from tests.harness.load import Answer, ask, request
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from xds.bootstrap.document import STATS_TAGS

FAULT = "envoy.extensions.filters.http.fault.v3.HTTPFault"
VERSIONS = ("1", "2", "3")
SLOW_S = 0.15
QUICK: Json = {"open_ms": 1_500, "ramp_ms": 500}
"""A rule whose way back takes four seconds."""


def facts(service: str, rule: Mapping[str, object] | None, prefix: str = "web") -> Json:
    """Route facts of a service whose version 2 has 20 percent; None is no breaker."""
    split = [[f"{prefix}/1", 8_000], [f"{prefix}/2", 2_000]]
    told: Json = {"service": service, "salt": "s", "key": {"header": "x-user"}, "split": split}
    return told if rule is None else {**told, "breaker": dict(rule)}


def route(told: Mapping[str, object]) -> Json:
    """A route at `/service`, split as its facts say."""
    split = told["split"]
    assert isinstance(split, list)
    clusters = [{"name": name, "weight": weight} for name, weight in split]
    return {
        "match": {"prefix": f"/{told['service']}"},
        "metadata": {"filter_metadata": {"fairlead": dict(told)}},
        "route": {"weighted_clusters": {"clusters": clusters, "header_name": HEADER}},
    }


def _says(header: str, version: str) -> Json:
    return {"name": header, "string_match": {"contains": version}}


def version(number: str, port: int) -> Json:
    """A listener that answers as one version does."""
    delay: Json = {"fixed_delay": f"{SLOW_S}s", "percentage": {"numerator": 100}}
    slow: Json = {"name": "slow", "typed_config": typed(FAULT, {"delay": delay, "headers": [_says("x-slow", number)]})}
    told = {"x-version": number, "x-saw-bucket": f"%REQ({HEADER})%"}
    named: list[Json] = [{"header": {"key": key, "value": value}} for key, value in told.items()]

    def answer(status: int, *matchers: Json) -> Json:
        return {
            "match": {"prefix": "/", "headers": list(matchers)},
            "direct_response": {"status": status, "body": {"inline_string": "ok"}},
            "response_headers_to_add": named,
        }

    return listener(port, [slow], [answer(503, _says("x-fails", number)), answer(200)])


@dataclass
class Guarded:
    """An Envoy of two workers, and requests to it."""

    programs: Programs
    binary: Path
    folder: Path
    module: bytes
    workers: int = 2
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    backends: dict[str, int] = field(default_factory=lambda: {number: free_port() for number in VERSIONS})
    program: Program | None = None

    def start(self, routes: Iterable[Json], *, clusters: Iterable[Json] = ()) -> None:
        """Starts it with those routes, and clusters beside its own."""
        front = listener(self.port, [{"name": SLOT, "typed_config": wasm(self.module)}], list(routes))
        own = [cluster(f"web/{number}", port) for number, port in self.backends.items()]
        resources = {
            "listeners": [front, *(version(number, port) for number, port in self.backends.items())],
            "clusters": [*own, *clusters],
        }
        bootstrap: Json = {"static_resources": resources, "stats_config": {"stats_tags": STATS_TAGS}}
        self.program = start(
            self.programs, self.binary, self.folder, bootstrap, self.admin, workers=self.workers, log="info"
        )

    def ask(self, service: str, users: Iterable[int], *said: tuple[str, str], connections: int = 1) -> list[Answer]:
        """One request of each user, on as many connections; few enough that answers are seen before the next."""
        asked = [request("web", ("x-user", f"user-{user}"), *said, path=f"/{service}") for user in users]
        return ask(self.port, asked, connections=connections)

    def spread(self, service: str, users: Iterable[int], *said: tuple[str, str]) -> list[Answer]:
        """The same, 20 users to a connection, so that every worker has some."""
        listed = list(users)
        parts = [listed[at : at + 20] for at in range(0, len(listed), 20)]
        return [answer for part in parts for answer in self.ask(service, part, *said)]

    def metrics(self, service: str, cluster: str = "web/2") -> dict[str, float]:
        """The breaker's metrics by name, without their prefix, as Prometheus reads them."""
        text = httpx.get(f"http://127.0.0.1:{self.admin}/stats/prometheus").text
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels == {"service": service, "cluster": cluster}:
                    found[sample.name.removeprefix("fairlead_breaker_")] = sample.value
        return found

    def transitions(self, service: str) -> list[str]:
        """What was logged of the service's breakers: `web/2 closed>open consecutive`."""
        assert self.program is not None
        lines = re.findall(r"fairlead\.breaker (\{.*?\})", self.program.output())
        read = [json.loads(line) for line in lines]
        return [
            f"{each['cluster']} {each['from']}>{each['to']} {each['why']}"
            for each in read
            if each["service"] == service
        ]


def by_version(answers: Iterable[Answer]) -> Counter[tuple[str, int]]:
    """How many answers each version gave, by status."""
    return Counter((answer.version, answer.status) for answer in answers)
