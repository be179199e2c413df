"""One call of grpc.health.v1.Health/Check over an open connection.

The framing is h2's; the two messages are a string and a number, which need no library. Everything that a server may
send is counted, and ends the call when it is more than an answer needs.
"""

from __future__ import annotations

import asyncio
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

PATH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x00\x00\x00\x00\x02\x08\x01"  # uncompressed, two bytes: status = SERVING
_STATUSES: Final = {
    b"\x00\x00\x00\x00\x00": "it does not know how it is",
    b"\x00\x00\x00\x00\x02\x08\x02": "it says NOT_SERVING",
    b"\x00\x00\x00\x00\x02\x08\x03": "it does not know the service that it was asked for",
}
_CODES: Final = {
    "5": "it does not know the service that it was asked for",
    "12": "it has no grpc.health.v1 service",
}


async def not_serving(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: str, authority: str, most: int
) -> str:
    """Return "" when `service` is SERVING, what is wrong otherwise; reads at most about `most` bytes."""
    h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    h2.initiate_connection()
    h2.send_headers(
        1,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", authority),
            (":path", PATH),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "fairlead-check"),
        ],
    )
    h2.send_data(1, _request(service), end_stream=True)
    headers: dict[str, str] = {}
    body = b""
    while most > 0:
        writer.write(h2.data_to_send())
        got = await reader.read(most)
        if not got:
            return "it ended the connection within its answer"
        if got.startswith(b"HTTP/1"):
            return "it does not speak HTTP/2"
        most -= len(got)
        try:
            events = h2.receive_data(got)
        except (ProtocolError, UnicodeError):
            return "it does not speak HTTP/2"
        for event in events:
            match event:
                case ResponseReceived() | TrailersReceived():
                    headers |= {str(name): str(value) for name, value in event.headers or ()}
                case DataReceived():
                    body += event.data or b""
                case StreamEnded():
                    return _verdict(headers, body)
                case StreamReset() | ConnectionTerminated():
                    return "it refused the call"
                case _:
                    pass
    return "its answer is too long for one"


def _request(service: str) -> bytes:
    name = service.encode("ascii")
    size = bytes([len(name)]) if len(name) < 0x80 else bytes([len(name) & 0x7F | 0x80, len(name) >> 7])
    message = b"\x0a" + size + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _verdict(headers: dict[str, str], body: bytes) -> str:
    if headers.get(":status") != "200":
        return f"it answers {headers.get(':status', 'without a status')[:3]}"
    code = headers.get("grpc-status", "")
    if code != "0":
        return _CODES.get(code, f"it answers with gRPC status {code[:2] or 'none'}")
    return "" if body == _SERVING else _STATUSES.get(body, "its answer is not one of grpc.health.v1")
