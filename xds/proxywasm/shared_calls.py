"""Host calls on what machines share: data with compare-and-swap, queues, and metrics."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from xds.proxywasm.abi import MetricType, Status
from xds.proxywasm.failures import Trapped
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK
from xds.proxywasm.sharing import MOST_ENTRIES, Metric

LONGEST_NAME: Final = 4_096
"""Bytes of a key, or of the name of a queue or metric."""


class SharedCalls:
    """The calls on shared data, queues and metrics, named as the imports."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._machine = guest.machine
        self._shared = guest.machine.host.shared
        self._metrics: list[Metric] = []

    def proxy_get_shared_data(self, key: int, key_size: int, pointer: int, size: int, cas_out: int) -> int:
        """A value and its compare-and-swap number."""
        found = self._shared.get(self._machine.host.vm_id, self._guest.read(key, key_size))
        if found is None:
            return Status.NOT_FOUND
        self._guest.memory.write_u32(cas_out, found[1])
        return self._guest.give(found[0], pointer, size)

    def proxy_set_shared_data(self, key: int, key_size: int, value: int, size: int, cas: int) -> int:
        """Writes a value under a condition."""
        if key_size & MASK > LONGEST_NAME:
            return Status.BAD_ARGUMENT
        name, content = self._guest.read(key, key_size), self._guest.read(value, size)
        return self._shared.put(self._machine.host.vm_id, name, content, cas & MASK)

    def proxy_register_shared_queue(self, name: int, size: int, out: int) -> int:
        """Makes a queue, or finds the one of that name; this root is told of messages from now on."""
        if size & MASK > LONGEST_NAME:
            return Status.BAD_ARGUMENT
        root = self._machine.context.root
        ready: list[int] = []
        wanted = self._guest.read(name, size)
        number = self._shared.register(self._machine.host.vm_id, wanted, lambda: self._ready(root, ready[0]))
        if not number:
            return Status.INTERNAL_FAILURE
        ready.append(number)
        self._guest.memory.write_u32(out, number)
        return Status.OK

    def _ready(self, root: int, number: int) -> None:
        """Calls the root back, in a turn of its own; who enqueued has no part in its failure."""

        def tell() -> None:
            with suppress(Trapped):  # the machine keeps the reason and tells it to whoever calls it next
                if root in self._machine.contexts:
                    self._machine.run(root, "proxy_on_queue_ready", number)

        self._machine.defer(tell)

    def proxy_resolve_shared_queue(self, vm: int, vm_size: int, name: int, size: int, out: int) -> int:
        """Finds a queue of a VM."""
        wanted = (self._guest.read(vm, vm_size), self._guest.read(name, size))
        number = self._shared.queues.get(wanted)
        if number is None:
            return Status.NOT_FOUND
        self._guest.memory.write_u32(out, number)
        return Status.OK

    def proxy_enqueue_shared_queue(self, number: int, value: int, size: int) -> int:
        """Appends a message; who registered the queue is told after this callback has returned."""
        queue = self._shared.queue(number)
        if queue is None:
            return Status.NOT_FOUND
        if not self._shared.enqueue(queue, self._guest.read(value, size)):
            return Status.INTERNAL_FAILURE
        if queue.notify is not None:
            self._machine.defer(queue.notify)
        return Status.OK

    def proxy_dequeue_shared_queue(self, number: int, pointer: int, size: int) -> int:
        """Takes the oldest message; one that the guest has no room for stays."""
        queue = self._shared.queue(number)
        if queue is None:
            return Status.NOT_FOUND
        if not queue.messages:
            return Status.EMPTY
        status = self._guest.give(queue.messages[0], pointer, size)
        if status == Status.OK:
            self._shared.dequeue(queue)
        return status

    def proxy_define_metric(self, kind: int, name: int, size: int, out: int) -> int:
        """Makes a metric, or finds the one of that name; its number carries its kind in the two lowest bits."""
        if not 0 <= kind <= MetricType.HISTOGRAM or size & MASK > LONGEST_NAME:
            return Status.BAD_ARGUMENT
        text = self._guest.read(name, size).decode("utf-8", "replace")
        metric = self._shared.define(MetricType(kind), text) if len(self._metrics) < MOST_ENTRIES else None
        if metric is None:
            return Status.INTERNAL_FAILURE
        self._metrics.append(metric)
        self._guest.memory.write_u32(out, len(self._metrics) << 2 | kind)
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
        """Sets a gauge, adds to a counter (as Envoy does), and takes a value into a histogram."""
        metric = self._metric(number)
        if metric is None:
            return Status.NOT_FOUND
        metric.value = value if metric.kind is MetricType.GAUGE else metric.value + value
        metric.count += 1
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
        at, kind = number >> 2, number & 3
        metric = self._metrics[at - 1] if 0 < at <= len(self._metrics) else None
        return metric if metric is not None and metric.kind == kind else None
