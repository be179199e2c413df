"""The webhook: each alarm that is raised or over is posted to one URL, signed, until somebody has taken it.

It never blocks who raises an alarm: there is a bounded queue, and what finds no room is counted. It connects through
the dialer that it is given, follows no redirect, and reads little of an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import h11

from xds.control.ports import Clock
from xds.model.alarm import Alarm
from xds.model.problems import InvalidInput
from xds.net.targets import BlockedTarget

MOST: Final = 1000  # alarms that wait
DEADLINE: Final = 10.0  # seconds for one attempt, the answer included
FIRST, LONGEST = 1.0, 60.0  # seconds between attempts; doubled each time, with jitter
GIVE_UP: Final = 3600.0  # seconds after which an alarm is old news
READ: Final = 4096  # bytes of an answer
SIGNATURE, TIMESTAMP = "fairlead-signature", "fairlead-timestamp"

_log = logging.getLogger(__name__)


class Link(Protocol):
    """An open connection."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """What comes."""
        ...

    @property
    def writer(self) -> asyncio.StreamWriter:
        """What goes."""
        ...


class Dial(Protocol):
    """Opens a connection to a host and a port, by TLS with a context."""

    def __call__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> AbstractAsyncContextManager[Link]:
        """Return a connection for the time of a block; raises OSError, or what says that it is not allowed."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where alarms are posted, and the secret that signs them."""

    url: str
    secret: str

    def __post_init__(self) -> None:
        """Refuse what is no address of the web, and a secret that anybody could guess."""
        parts = urlsplit(self.url)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or "@" in parts.netloc
            or not self.url.isprintable()
        ):
            raise InvalidInput(
                f"{self.url[:200]!r} is no URL of a webhook: http or https, a host, no user", pointer="/alarm_webhook"
            )
        if len(self.secret) < 16:
            raise InvalidInput("the secret of the webhook has at least 16 characters", pointer="/alarm_secret_file")


@dataclass(frozen=True, slots=True)
class _Told:
    since: float
    body: bytes


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a delivery: HMAC-SHA256 of the timestamp, a dot and the body, in hex after `v1=`."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """Delivers alarms in order, one at a time."""

    def __init__(
        self, settings: WebhookSettings, dial: Dial, clock: Clock, chance: Callable[[], float] = random.random
    ) -> None:
        """Post to `settings.url` through `dial`; `chance` gives numbers from 0 to 1 for the jitter."""
        self._settings = settings
        self._dial = dial
        self._clock = clock
        self._chance = chance
        self._waiting: deque[_Told] = deque()
        self._more = asyncio.Event()
        self.delivered = 0
        self.lost = 0
        """How many found no room, or were old news before anybody took them."""

    def heard(self, alarm: Alarm, raised: bool) -> None:
        """Take an alarm that was raised or is over; returns at once."""
        document = {
            "event": "raised" if raised else "over",
            "at": self._clock.wall().isoformat(timespec="milliseconds"),
            "kind": alarm.kind,
            "object": alarm.object,
            "priority": alarm.priority.name.lower(),
            "message": alarm.message,
        }
        if len(self._waiting) >= MOST:
            self.lost += 1
            return
        self._waiting.append(_Told(self._clock.monotonic(), json.dumps(document, ensure_ascii=False).encode()))
        self._more.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            await self._deliver(self._waiting[0])
            self._waiting.popleft()

    async def _deliver(self, told: _Told) -> None:
        pause = FIRST
        while True:
            why = await self._try(told.body)
            if not why:
                self.delivered += 1
                return
            if self._clock.monotonic() - told.since > GIVE_UP:
                self.lost += 1
                _log.error("an alarm was not delivered in an hour and is given up: %s", why)
                return
            _log.warning("an alarm could not be delivered and is tried again: %s", why)
            await asyncio.sleep(pause * (0.5 + self._chance()))
            pause = min(2 * pause, LONGEST)

    async def _try(self, body: bytes) -> str:
        """Return why a delivery failed, "" for one that was taken."""
        try:
            async with asyncio.timeout(DEADLINE):
                status = await self._post(body)
        except TimeoutError:
            return f"no answer within {DEADLINE:.0f} s"
        except (OSError, BlockedTarget, h11.ProtocolError, ValueError) as error:
            return str(error) or type(error).__name__
        return "" if 200 <= status < 300 else f"it answered {status}"

    async def _post(self, body: bytes) -> int:
        """Post a body and return the status of the answer."""
        url = urlsplit(self._settings.url)
        timestamp = str(int(self._clock.wall().timestamp()))
        headers = [
            ("host", url.netloc),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("user-agent", "fairlead"),
            ("connection", "close"),
            (TIMESTAMP, timestamp),
            (SIGNATURE, sign(self._settings.secret, timestamp, body)),
        ]
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        tls = ssl.create_default_context() if url.scheme == "https" else None
        port = url.port or (443 if tls else 80)
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=READ)
        parts = (h11.Request(method="POST", target=target, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        async with self._dial(str(url.hostname), port, tls=tls) as link:
            link.writer.write(b"".join(connection.send(part) or b"" for part in parts))
            await link.writer.drain()
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    return event.status_code
                if event is h11.NEED_DATA:
                    connection.receive_data(await link.reader.read(READ))
                elif not isinstance(event, h11.InformationalResponse):
                    raise ConnectionResetError("it ended without an answer")
