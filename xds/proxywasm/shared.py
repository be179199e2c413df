"""Host calls on what contexts share: data with compare-and-swap, queues, and metrics."""

from __future__ import annotations

from xds.proxywasm.abi import MetricType, Status
from xds.proxywasm.contexts import Metric
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK

MOST_ENTRIES = 4_096
"""Keys, queues, waiting messages per queue, and metrics that one machine may hold."""


class SharedCalls:
    """The calls on shared data, queues and metrics."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._machine = guest.machine

    def proxy_get_shared_data(self, key: int, key_size: int, pointer: int, size: int, cas_out: int) -> int:
        """A value and its compare-and-swap number."""
        found = self._machine.shared_data.get(self._guest.read(key, key_size))
        if found is None:
            return Status.NOT_FOUND
        self._guest.memory.write_u32(cas_out, found[1])
        return self._guest.give(found[0], pointer, size)

    def proxy_set_shared_data(self, key: int, key_size: int, value: int, size: int, cas: int) -> int:
        """Writes a value; number 0, or a key that is absent, makes it unconditional."""
        data, name = self._machine.shared_data, self._guest.read(key, key_size)
        before = data.get(name)
        if before is None and len(data) >= MOST_ENTRIES:
            return Status.INTERNAL_FAILURE
        if before is not None and cas & MASK not in (0, before[1]):
            return Status.CAS_MISMATCH
        data[name] = (self._guest.read(value, size), before[1] + 1 if before else 1)
        return Status.OK

    def proxy_register_shared_queue(self, name: int, size: int, out: int) -> int:
        """Makes a queue, or finds the one of that name."""
        wanted, queues = self._guest.read(name, size), self._machine.queues
        number = next((at for at, (this, _) in enumerate(queues) if this == wanted), len(queues))
        if number >= MOST_ENTRIES:
            return Status.INTERNAL_FAILURE
        if number == len(queues):
            queues.append((wanted, []))
        self._guest.memory.write_u32(out, number + 1)
        return Status.OK

    def proxy_resolve_shared_queue(self, _vm: int, _vm_size: int, name: int, size: int, out: int) -> int:
        """Finds a queue; all machines are one here."""
        wanted = self._guest.read(name, size)
        for number, (this, _) in enumerate(self._machine.queues, start=1):
            if this == wanted:
                self._guest.memory.write_u32(out, number)
                return Status.OK
        return Status.NOT_FOUND

    def proxy_enqueue_shared_queue(self, number: int, value: int, size: int) -> int:
        """Appends a message."""
        queue = self._queue(number)
        if queue is None:
            return Status.NOT_FOUND
        if len(queue) >= MOST_ENTRIES:
            return Status.INTERNAL_FAILURE
        queue.append(self._guest.read(value, size))
        return Status.OK

    def proxy_dequeue_shared_queue(self, number: int, pointer: int, size: int) -> int:
        """Takes the oldest message."""
        queue = self._queue(number)
        if queue is None:
            return Status.NOT_FOUND
        return self._guest.give(queue.pop(0), pointer, size) if queue else Status.EMPTY

    def _queue(self, number: int) -> list[bytes] | None:
        return self._machine.queues[number - 1][1] if 0 < number <= len(self._machine.queues) else None

    def proxy_define_metric(self, kind: int, name: int, size: int, out: int) -> int:
        """Makes a metric; its number is its place."""
        if not 0 <= kind <= MetricType.HISTOGRAM:
            return Status.BAD_ARGUMENT
        if len(self._machine.metrics) >= MOST_ENTRIES:
            return Status.INTERNAL_FAILURE
        text = self._guest.read(name, size).decode("utf-8", "replace")
        self._machine.metrics.append(Metric(MetricType(kind), text))
        self._guest.memory.write_u32(out, len(self._machine.metrics))
        return Status.OK

    def proxy_increment_metric(self, number: int, by: int) -> int:
        """Adds; a counter only grows, a histogram has nothing to add to."""
        metric = self._metric(number)
        if metric is None:
            return Status.NOT_FOUND
        if metric.kind is MetricType.HISTOGRAM or (metric.kind is MetricType.COUNTER and by <= 0):
            return Status.BAD_ARGUMENT
        metric.value += by
        return Status.OK

    def proxy_record_metric(self, number: int, value: int) -> int:
        """Sets a gauge or histogram; adds to a counter, as Envoy does."""
        metric = self._metric(number)
        if metric is None:
            return Status.NOT_FOUND
        metric.value = metric.value + value if metric.kind is MetricType.COUNTER else value
        return Status.OK

    def proxy_get_metric(self, number: int, out: int) -> int:
        """The value of a counter or gauge."""
        metric = self._metric(number)
        if metric is None:
            return Status.NOT_FOUND
        if metric.kind is MetricType.HISTOGRAM:
            return Status.BAD_ARGUMENT
        self._guest.memory.write_u64(out, metric.value)
        return Status.OK

    def _metric(self, number: int) -> Metric | None:
        return self._machine.metrics[number - 1] if 0 < number <= len(self._machine.metrics) else None
