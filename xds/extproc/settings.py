"""What the server bears, with the reason for each limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times in seconds, sizes in bytes."""

    max_streams: int = 10_000
    """Requests under way; one more is told RESOURCE_EXHAUSTED, and Envoy's failure mode decides about it."""
    max_message: int = 1 << 20
    """Headers of one request with its route's metadata; Envoy takes 60 KiB of headers unless told otherwise."""
    first_message: float = 5.0
    """Time for a stream to say what it is about; Envoy does so at once."""
    deadline: float = 3_600.0
    """Time that one request may take; then its stream ends. Longer than any answer is worth waiting for."""
    guest_call: float = 0.1
    """Time that the filter may take for one callback before it is stopped; it takes a ten-thousandth of that."""
    drain: float = 10.0
    """Time for requests to end after SIGTERM before their streams are cut."""
    keepalive_time: float = 30.0
    """Silence after which an Envoy is pinged ..."""
    keepalive_timeout: float = 10.0
    """... and time for its answer."""

    def channel_options(self) -> Sequence[tuple[str, int]]:
        """Return gRPC's options for these limits."""
        return (
            ("grpc.so_reuseport", 0),  # two servers on one port would each have half of the breaker's evidence
            ("grpc.max_receive_message_length", self.max_message),
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.keepalive_time_ms", int(self.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.bdp_probe", 0),  # messages are small, and each probe would cost an answer
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        )
