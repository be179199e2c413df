"""The breaker's vectors in virtual time: whoever runs the filter, its decisions are those of the file.

A step asks for a user, or ends a request that stayed open. What is compared can be seen from outside: the bucket that
was written or the answer that was given, and the metrics that tell the states.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any  # the vectors are JSON; use asserts their shape

from tests.harness.repo import ROOT
from xds.model.bucket import bucket as bucket_of
from xds.proxywasm.machine import Host
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.sharing import Shared
from xds.proxywasm.stream import OnFailure

Json = dict[str, Any]

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
VECTORS: list[Json] = [
    json.loads(path.read_text()) for path in sorted((ROOT / "filters/vectors/breaker").glob("*.json"))
]
STATES = ("closed", "open", "probing", "ramp", "forced_open", "forced_closed")
NS_PER_MS = 1_000_000
TICK_MS = 250
START_MS = 1_750_000_000_000
NO_JITTER = (200).to_bytes(8, "little")
"""Chance that leaves the time a breaker is open as the rule has it."""


class Player(ABC):
    """Plays one vector with a plugin of its own; `ask` and `end` are the ways to the filter."""

    def __init__(self, vector: Json) -> None:
        self.vector = vector
        self.shared = Shared()
        self.now_ms = 0
        host = Host(now_ns=self.now_ns, random=lambda size: NO_JITTER[:size], shared=self.shared)
        self.plugin = Plugin(HEALTH, host=host, settings=Settings(on_failure=OnFailure.RELOAD))
        self._open: dict[str, object] = {}

    def now_ns(self) -> int:
        """The present moment of the vector."""
        return (START_MS + self.now_ms) * NS_PER_MS

    @abstractmethod
    def ask(self, key: str) -> tuple[int | None, object]:
        """A user's request: the bucket that was written, None for an answer of the filter's own; and the request."""

    @abstractmethod
    def end(self, request: object, answer: Json, subset: str) -> None:
        """The request is answered, and over; `subset` is where it went."""

    def play(self) -> None:
        """Every step, with what it expects."""
        try:
            for step in self.vector["steps"]:
                self._step(step)
        finally:
            self.plugin.close()

    def _step(self, step: Json) -> None:
        while self.now_ms < step["at"]:
            self.now_ms = min(self.now_ms // TICK_MS * TICK_MS + TICK_MS, step["at"])
            self.plugin.run_due()
        expected = step["expect"]
        if "ends" in step:
            self.end(self._open.pop(step["ends"]), step["answer"], "")
        else:
            probes = self._sum("probes_total")
            bucket, request = self.ask(step["key"])
            action = self._action(bucket, step, probed=self._sum("probes_total") > probes)
            assert (action, bucket) == (expected["action"], expected["bucket"]), step
            if "id" in step:
                self._open[step["id"]] = request
            else:
                self.end(request, step["answer"], expected["subset"] or "")
        assert {name: self._state(name) for name in expected["states"]} == expected["states"], step

    def _action(self, bucket: int | None, step: Json, *, probed: bool) -> str:
        if bucket is None:
            return "reject"
        if probed:
            return "probe"
        own = bucket_of(self.vector["facts"]["salt"], step["key"].encode())
        return "go" if bucket == own else "remap"

    def _state(self, cluster: str) -> str:
        return STATES[self._metric("state", cluster)]

    def _sum(self, metric: str) -> int:
        return sum(self._metric(metric, cluster) for cluster in {name for name, _ in self.vector["facts"]["split"]})

    def _metric(self, metric: str, cluster: str) -> int:
        service = self.vector["facts"]["service"]
        return self.shared.metric(f"fairlead_breaker_{metric};service={service};cluster={cluster};")
