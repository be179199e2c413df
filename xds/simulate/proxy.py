"""A proxy in virtual time: the real filter in several workers that share data, and a clock that is moved by hand.

Knows what Envoy asks of the filter for a request and tells it at the end, in the fewest calls that lead to the same
decisions: a response without gRPC passes the filter unseen, so its headers are not shown.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from xds.model.split import Segment, Split
from xds.proxywasm.contexts import LogLine
from xds.proxywasm.machine import SOME_INSTANT_NS, Host
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.stream import Stream
from xds.simulate.traffic import Answer, Request
from xds.translate.metadata import metadata
from xds.wire.filter_schema import BUCKET_HEADER, FilterKey, RouteBreaker, RouteFacts

SERVICE: Final = "simulated"
KEY_HEADER: Final = "x-user"
TRANSITION: Final = "fairlead.breaker "
"""How the filter's line about a breaker's change begins; JSON follows."""

_BUCKET: Final = BUCKET_HEADER.encode()
_HEAD: Final = ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"simulated"))


@dataclass(frozen=True, slots=True)
class Setting:
    """A proxy to try: its split, its breaker (None for none), how many workers, and the seed of its chance."""

    name: str
    split: Split
    breaker: RouteBreaker | None
    workers: int
    seed: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker's change of state; `told` is the filter's own account of it."""

    at_ns: int
    version: str
    before: str
    after: str
    why: str
    told: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the filter sent a request, None where it answered by itself, and what `finish` needs."""

    version: str | None
    stream: Stream


class Proxy:
    """Workers with the filter in them. Raises Refused where the filter is none. Close it at the end."""

    def __init__(self, module: bytes, setting: Setting) -> None:
        self.now_ns = 0
        self.transitions: list[Transition] = []
        self.complaints: list[LogLine] = []
        self._split = split = setting.split
        self._runtime = Runtime()
        facts = RouteFacts(
            service=SERVICE,
            split=tuple((cluster_of(each.subset), each.weight) for each in split.segments),
            key=FilterKey(header=KEY_HEADER),
            salt=split.salt,
            breaker=setting.breaker,
        )
        host = Host(
            now_ns=lambda: SOME_INSTANT_NS + self.now_ns,
            random=random.Random(setting.seed).randbytes,
            on_log=self._on_log,
        )
        settings = Settings(properties={"xds.route_metadata": metadata(facts.to_struct())})
        try:
            self.workers = [
                Plugin(module, runtime=self._runtime, host=host, settings=settings) for _ in range(setting.workers)
            ]
        except BaseException:
            self.close()
            raise

    def place(self, request: Request) -> Placed:
        """A request arrives now. A user keeps to one connection, and so to one worker."""
        stream = self.workers[zlib.crc32(request.key) % len(self.workers)].stream()
        headers = [*_HEAD, (KEY_HEADER.encode(), request.key)]
        stream.request_headers(headers, end=True)
        if stream.local_reply is not None:
            return Placed(None, stream)
        value = next(value for name, value in stream.request.arrived or [] if name == _BUCKET)
        return Placed(self._split.owner(int(value)), stream)

    def finish(self, placed: Placed, answer: Answer) -> None:
        """A request ends now."""
        placed.stream.properties.update(
            {
                b"response\0flags": _number(0),
                b"response\0code": _number(answer.status),
                b"response\0backend_latency": _number(answer.after_ns),
                b"upstream\0request_attempt_count": _number(1),
            }
        )
        placed.stream.finish()

    @property
    def due_ns(self) -> int | None:
        """When a worker's timer goes off next."""
        due = [worker.due_ns for worker in self.workers]
        return min((when - SOME_INSTANT_NS for when in due if when is not None), default=None)

    def run_due(self) -> None:
        """Timers that are due now go off."""
        for worker in self.workers:
            worker.run_due()

    def _on_log(self, line: LogLine) -> None:
        if not line.text.startswith(TRANSITION):
            self.complaints.append(line)
            return
        told = json.loads(line.text.removeprefix(TRANSITION))
        version = told["cluster"].removeprefix(cluster_of(""))
        self.transitions.append(Transition(self.now_ns, version, told["from"], told["to"], told["why"], told))

    def close(self) -> None:
        """Ends the workers."""
        self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def cluster_of(version: str) -> str:
    """The cluster of a version, as the control plane names it."""
    return f"{SERVICE}/{version}"


def split_of(weights: Mapping[str, int]) -> Split:
    """The split of versions by weight, in their order."""
    return Split(tuple(Segment(name, weight) for name, weight in weights.items()), salt=SERVICE)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")
