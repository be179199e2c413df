"""HTTP/2 frame by frame, for clients that no library would be: many streams, resets, pings, silence.

A blocking socket; what the server said is read when somebody asks. Knows frames, nothing of what they carry.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import Counter
from typing import Self

from hpack import Encoder
from hyperframe.frame import Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DELTA_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class Frames:
    """One connection. `heard` counts the frames that came, by kind; `ended` says whether the server closed it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._encoder = Encoder()
        self._data = bytearray()
        self._next = 1
        self.heard: Counter[str] = Counter()
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hello(self) -> None:
        """Say what an HTTP/2 client says first, and accept the server's settings."""
        settings = SettingsFrame(0)
        accepted = SettingsFrame(0)
        accepted.flags.add("ACK")
        self.say(PREFACE + settings.serialize())
        self.hear(0.2)
        self.say(accepted.serialize())

    def open(self, path: str = DELTA_ADS) -> bytes:
        """The bytes that open one more stream."""
        frame = HeadersFrame(self._next)
        frame.flags.add("END_HEADERS")
        names = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test", "te": "trailers"}
        frame.data = self._encoder.encode([*names.items(), ("content-type", "application/grpc")])
        self._next += 2
        return frame.serialize()

    def reset(self) -> bytes:
        """The bytes that cancel the stream opened last."""
        return RstStreamFrame(self._next - 2, error_code=8).serialize()

    def ping(self) -> bytes:
        """The bytes of a ping."""
        return PingFrame(0, b"fairlead").serialize()

    def say(self, data: bytes) -> bool:
        """Send; False once the server has closed the connection."""
        if not self.ended:
            try:
                self._socket.sendall(data)
            except OSError:
                self.ended = True
        return not self.ended

    def hear(self, seconds: float = 0.0) -> None:
        """Read what there is, waiting so long for the first of it."""
        while not self.ended and select.select([self._socket], [], [], seconds)[0]:
            seconds = 0.0
            data = b""
            with contextlib.suppress(OSError):
                data = self._socket.recv(1 << 16)
            self.ended = not data
            self._data += data
        while len(self._data) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(bytes(self._data[:9])))
            if len(self._data) < 9 + length:
                break
            self.heard[type(frame).__name__.removesuffix("Frame")] += 1
            del self._data[: 9 + length]
