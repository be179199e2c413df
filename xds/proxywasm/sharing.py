"""What machines share: data with compare-and-swap, queues and metrics, as the workers of one Envoy do.

Values only; the host calls on them are in `shared_calls`. Data and queues belong to a `vm_id`, metrics to nobody: two
machines that define the same name have the same metric. Nothing is ever removed, because the ABI has no call for it;
what a guest may put in is bounded instead. Not for two threads at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from xds.proxywasm.abi import MetricType, Status

MOST_ENTRIES: Final = 4_096
"""Keys, queues, waiting messages per queue, and metrics."""

MOST_BYTES: Final = 64 << 20
"""Bytes of all keys, values and waiting messages together."""


@dataclass(slots=True)
class Metric:
    """A metric that guests defined; of a histogram the count, and the sum in `value`."""

    kind: MetricType
    name: str
    value: int = 0
    count: int = 0


@dataclass(slots=True)
class Queue:
    """Messages in order, and who is told of a new one: the machine that registered the queue last."""

    messages: deque[bytes] = field(default_factory=deque)
    notify: Callable[[], None] | None = None


class Shared:
    """One process's shared data, queues and metrics."""

    def __init__(self) -> None:
        self.data: dict[tuple[bytes, bytes], tuple[bytes, int]] = {}
        self.queues: dict[tuple[bytes, bytes], int] = {}
        self.metrics: dict[tuple[MetricType, str], Metric] = {}
        self._numbered: list[Queue] = []
        self._bytes = 0

    def get(self, vm_id: bytes, key: bytes) -> tuple[bytes, int] | None:
        """A value and its compare-and-swap number, None for a key that was never set."""
        return self.data.get((vm_id, key))

    def put(self, vm_id: bytes, key: bytes, value: bytes, cas: int) -> Status:
        """Writes; number 0, or a key that is absent, makes it unconditional, as in Envoy."""
        before = self.data.get((vm_id, key))
        if before is not None and cas not in (0, before[1]):
            return Status.CAS_MISMATCH
        growth = len(value) - len(before[0]) if before else len(key) + len(value)
        if (before is None and len(self.data) >= MOST_ENTRIES) or self._bytes + growth > MOST_BYTES:
            return Status.INTERNAL_FAILURE
        self._bytes += growth
        self.data[vm_id, key] = (value, before[1] + 1 if before else 1)
        return Status.OK

    def register(self, vm_id: bytes, name: bytes, notify: Callable[[], None]) -> int:
        """The number of the queue of that name, made where there was none; 0 where there are too many."""
        number = self.queues.get((vm_id, name))
        if number is None:
            if len(self._numbered) >= MOST_ENTRIES:
                return 0
            self._numbered.append(Queue())
            number = self.queues[vm_id, name] = len(self._numbered)
        self._numbered[number - 1].notify = notify
        return number

    def queue(self, number: int) -> Queue | None:
        """The queue of that number."""
        return self._numbered[number - 1] if 0 < number <= len(self._numbered) else None

    def enqueue(self, queue: Queue, message: bytes) -> bool:
        """Appends; False where there is no more room."""
        if len(queue.messages) >= MOST_ENTRIES or self._bytes + len(message) > MOST_BYTES:
            return False
        self._bytes += len(message)
        queue.messages.append(message)
        return True

    def dequeue(self, queue: Queue) -> None:
        """Drops the oldest message."""
        self._bytes -= len(queue.messages.popleft())

    def define(self, kind: MetricType, name: str) -> Metric | None:
        """The metric of that kind and name, made where there was none; None where there are too many."""
        metric = self.metrics.get((kind, name))
        if metric is None and len(self.metrics) < MOST_ENTRIES:
            metric = self.metrics[kind, name] = Metric(kind, name)
        return metric

    def metric(self, name: str) -> int:
        """The value of a counter or gauge by name, 0 where nobody defined it."""
        return sum(metric.value for (_, this), metric in self.metrics.items() if this == name)
