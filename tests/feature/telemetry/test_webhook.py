"""Alarms on their way out: signed, in order, again until somebody takes them, and never in anybody's way (M57)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.harness.waiting import until
from xds.control.clock import SystemClock
from xds.model.alarm import Alarm, Priority
from xds.model.problems import InvalidInput
from xds.telemetry import webhook
from xds.telemetry.webhook import SIGNATURE, TIMESTAMP, Webhook, WebhookSettings, sign

SECRET = "a secret of the receiver"


@dataclass
class Receiver:
    """An HTTP server that answers what it is told to, and then 204, and keeps what it was sent."""

    answers: list[str] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        answer = self.answers.pop(0) if self.answers else "204 No Content"
        if answer:
            self.got.append((headers, body))
            writer.write(f"HTTP/1.1 {answer}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(document["event"], document["object"]) for document in (json.loads(body) for _, body in self.got)]


@contextlib.asynccontextmanager
async def dial(host: str, port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[_Link]:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        yield _Link(reader, writer)
    finally:
        writer.close()


@dataclass(frozen=True)
class _Link:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@contextlib.asynccontextmanager
async def running(receiver: Receiver) -> AsyncIterator[Webhook]:
    hook = Webhook(WebhookSettings(f"http://127.0.0.1:{receiver.port}/alarms", SECRET), dial, SystemClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hook.run())
        yield hook
        task.cancel()


def alarm(name: str) -> Alarm:
    return Alarm("shrink", name, "5 of 6 endpoints went", Priority.PAGE)


async def test_an_alarm_is_posted_signed_with_its_time(receiver: Receiver) -> None:
    async with running(receiver) as hook:
        hook.heard(alarm("default/web"), True)
        await until(lambda: hook.delivered == 1, timeout=10, what="it is delivered")
    headers, body = receiver.got[0]
    assert headers[SIGNATURE] == sign(SECRET, headers[TIMESTAMP], body)
    assert headers[SIGNATURE] != sign("another secret", headers[TIMESTAMP], body)
    assert json.loads(body) == {
        "event": "raised",
        "at": json.loads(body)["at"],
        "kind": "shrink",
        "object": "default/web",
        "priority": "page",
        "message": "5 of 6 endpoints went",
    }


async def test_what_is_not_taken_is_posted_again_and_the_order_is_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "FIRST", 0.01)
    receiver.answers = ["500 Broken", "", "302 Found"]
    async with running(receiver) as hook:
        hook.heard(alarm("a"), True)
        hook.heard(alarm("b"), True)
        hook.heard(alarm("a"), False)
        await until(lambda: hook.delivered == 3, timeout=10, what="all are delivered")
    assert receiver.told[-3:] == [("raised", "a"), ("raised", "b"), ("over", "a")]
    assert receiver.told[:2] == [("raised", "a")] * 2, "a redirect is followed nowhere"


async def test_a_receiver_that_is_away_costs_a_bounded_memory_and_old_news_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST", 2)
    monkeypatch.setattr(webhook, "GIVE_UP", -1.0)
    receiver.answers = ["503 Away"]
    hook = Webhook(WebhookSettings(f"http://127.0.0.1:{receiver.port}/", SECRET), dial, SystemClock())
    for name in "abc":
        hook.heard(alarm(name), True)
    assert hook.lost == 1
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hook.run())
        await until(lambda: (hook.lost, hook.delivered) == (2, 1), timeout=10, what="one given up, one delivered")
        task.cancel()


@pytest.mark.parametrize(
    ("url", "secret"),
    [("file:///etc/passwd", SECRET), ("http://user@host/", SECRET), ("http:///x", SECRET), ("http://a/\r\nb", SECRET),
     ("https://host/", "short")],
)  # fmt: skip
def test_a_webhook_that_makes_no_sense_is_refused_at_the_start(url: str, secret: str) -> None:
    with pytest.raises(InvalidInput):
        WebhookSettings(url, secret)
