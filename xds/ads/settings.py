"""The limits of the ADS server, with the reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdsSettings:
    """Where to listen and what to bear. Times in seconds, sizes in bytes."""

    addresses: tuple[str, ...] = ("127.0.0.1:15010",)
    """`host:port`, IPv6 in brackets; port 0 takes a free one."""
    max_request: int = 4 * 1024 * 1024
    """A longer request ends its stream with RESOURCE_EXHAUSTED before it is read."""
    max_streams: int = 100
    """Streams per connection; Envoy opens one."""
    keepalive_time: float = 30.0
    """Silence after which a client is pinged ..."""
    keepalive_timeout: float = 10.0
    """... and time for its answer: a half-open connection is found within the two."""
    client_ping_interval: float = 5.0
    """A client that pings more often is told to calm down. gRPC's own 300 s would cut off Envoys that ping at 30 s."""
    write_deadline: float = 30.0
    """Time that one response may take to be accepted by the client's flow control."""
    gate_patience: float = 5.0
    """Time for which listeners and routes wait for the answer to clusters."""
    max_error_text: int = 1024
    """Characters of a client's refusal that are kept."""
    drain_grace: float = 5.0
    """Time for streams to end at `stop` before they are cut."""

    def channel_options(self) -> Sequence[tuple[str, int]]:
        """Return gRPC's options for these limits."""
        return (
            ("grpc.so_reuseport", 0),  # a second control plane on the same port must fail, not share
            ("grpc.max_receive_message_length", self.max_request),
            ("grpc.max_send_message_length", -1),  # a full state of clusters is as large as it is
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.keepalive_time_ms", int(self.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", int(self.client_ping_interval * 1000)),
        )
