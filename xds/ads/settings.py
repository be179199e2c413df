"""The limits of the xDS server, with the reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from xds.model.problems import InvalidInput

LARGEST: Final = 2**31 - 1
"""gRPC keeps its options, times in milliseconds among them, in signed 32 bits."""


@dataclass(frozen=True, slots=True)
class AdsSettings:
    """Where to listen and what to bear. Times in seconds, sizes in bytes."""

    addresses: tuple[str, ...] = ("127.0.0.1:15010",)
    """`host:port`, IPv6 in brackets; port 0 takes a free one."""
    max_request: int = 4 * 1024 * 1024
    """A longer request ends its stream with RESOURCE_EXHAUSTED before it is read."""
    max_names: int = 100_000
    """Names that one stream may ask for of one type; more end it with RESOURCE_EXHAUSTED."""
    max_streams: int = 100
    """Streams per connection at a time; Envoy opens a few. gRPC refuses more with RST_STREAM, unseen by us."""
    max_connections: int = 10_000
    """Connections at a time; more are closed as they come."""
    message_rate: float = 500.0
    """Requests a second from one stream in the long run ..."""
    message_burst: float = 5_000.0
    """... and at once; more end it with RESOURCE_EXHAUSTED. An Envoy answers each push once per type."""
    stream_rate: float = 200.0
    """New streams a second in the long run ..."""
    stream_burst: float = 1_000.0
    """... and at once; others are told UNAVAILABLE and come back. A herd after a restart is served in portions."""
    peer_stream_rate: float = 50.0
    """New streams a second on one connection in the long run ..."""
    peer_stream_burst: float = 200.0
    """... and at once; beyond that the connection is closed. Twice `max_streams`: they may all come back once."""
    handshake_timeout: float = 10.0
    """Time for a client to say that it speaks HTTP/2 and to accept our settings; then its connection is closed."""
    keepalive_time: float = 30.0
    """Silence after which a client is pinged ..."""
    keepalive_timeout: float = 10.0
    """... and time for its answer: a half-open connection is found within the two."""
    client_ping_interval: float = 5.0
    """A client that pings more often is told to calm down. gRPC's own 300 s would cut off Envoys that ping at 30 s."""
    connection_age: float = 1800.0
    """Age at which a connection is asked to be made anew (gRPC adds up to a tenth), to keep replicas in balance ..."""
    connection_grace: float = 30.0
    """... and time for its streams to end. A delta client that comes back is sent what differs, mostly nothing."""
    write_deadline: float = 30.0
    """Time that one response may take to be accepted by the client's flow control, give or take a quarter."""
    gate_patience: float = 5.0
    """Time for which listeners and routes wait for the answer to clusters."""
    max_error_text: int = 1024
    """Characters of a client's refusal that are kept."""
    drain_grace: float = 5.0
    """Time for streams to end at `stop` before they are cut."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a limit: InvalidInput with the field as pointer."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "addresses":
                _check(field.name, value, whole=isinstance(field.default, int))

    def listening_on(self, *addresses: str) -> AdsSettings:
        """Return the same limits with other addresses."""
        return replace(self, addresses=addresses)

    def channel_options(self) -> Sequence[tuple[str, int]]:
        """Return gRPC's options for these limits."""
        return (
            ("grpc.so_reuseport", 0),  # a second control plane on the same port must fail, not share
            ("grpc.max_receive_message_length", self.max_request),
            ("grpc.max_send_message_length", -1),  # a full state of clusters is as large as it is
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.max_allowed_incoming_connections", self.max_connections),
            ("grpc.server_handshake_timeout_ms", int(self.handshake_timeout * 1000)),
            ("grpc.http2.settings_timeout", int(self.handshake_timeout * 1000)),
            ("grpc.keepalive_time_ms", int(self.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout * 1000)),
            # Without it the answer to a ping is awaited for a minute, whatever keepalive says, once the kernel of a
            # middlebox has acknowledged the bytes.
            ("grpc.http2.ping_timeout_ms", int(self.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.max_connection_age_ms", int(self.connection_age * 1000)),
            ("grpc.max_connection_age_grace_ms", int(self.connection_grace * 1000)),
            # No pings to find out how much a client could send: requests are small, and each answer would cost one.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", int(self.client_ping_interval * 1000)),
        )


def _check(name: str, value: object, *, whole: bool) -> None:
    sort, least, most = ("a whole number", 1, LARGEST) if whole else ("a number", 0.001, LARGEST // 1000)
    if isinstance(value, int if whole else int | float) and not isinstance(value, bool) and least <= value <= most:
        return
    raise InvalidInput(f"{name} is {value!r}; it has to be {sort} from {least} to {most}", pointer=f"/{name}")
