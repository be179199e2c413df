"""What is asked of an engine, and what becomes of its answers (faults D2, D4)."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tests.unit.docker.engine_said import WEB, inspection
from xds.model.problems import InvalidInput
from xds.sources.docker import engine as engine_module
from xds.sources.docker.endpoint import Endpoint
from xds.sources.docker.engine import ALLOWED, Engine, EngineError

SOCKET = Endpoint.parse("unix:///run/docker.sock")
Answer = Callable[[httpx.Request], httpx.Response]


def engine(answer: Answer) -> Engine:
    return Engine(SOCKET, httpx.MockTransport(answer))


def speaking(newest: str, least: str = "1.12") -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/version":
            return httpx.Response(200, json={"ApiVersion": newest, "MinAPIVersion": least, "Version": "20.10"})
        return httpx.Response(200, json=[], headers={"asked": request.url.path})

    return answer


@pytest.mark.parametrize(
    ("newest", "least", "prefix"), [("1.41", "1.12", "/v1.41"), ("1.99", "1.44", "/v1.47"), ("1.24", "1.12", "/v1.24")]
)
async def test_the_newest_version_that_both_know_is_spoken(newest: str, least: str, prefix: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return speaking(newest, least)(request)

    async with engine(answer) as known:
        await known.negotiate()
        assert await known.running() == []
    assert asked == ["/version", f"{prefix}/containers/json"]


@pytest.mark.parametrize(("newest", "least"), [("1.23", "1.12"), ("1.60", "1.48")])
async def test_an_engine_that_is_too_old_or_too_new_is_said(newest: str, least: str) -> None:
    async with engine(speaking(newest, least)) as known:
        with pytest.raises(EngineError, match=f"it speaks {least} to {newest}"):
            await known.negotiate()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="no"),
        httpx.Response(200, text='{"half":'),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(200, json={"message": "none"}),
        httpx.Response(200, content=b"\xff\xfe"),
    ],
)
async def test_an_answer_that_is_none_is_one_error(answer: httpx.Response) -> None:
    async with engine(lambda _: answer) as known:
        with pytest.raises(EngineError):
            await known.running()
        with pytest.raises(EngineError):
            await known.inspect(WEB)


async def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_ANSWER", 10_000)
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b" " * 1000

    async with engine(lambda _: httpx.Response(200, content=endless())) as known:
        with pytest.raises(EngineError, match="more than 0 MiB"):
            await known.running()
    assert read < 20_000


async def test_silence_is_the_same_error() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    async with engine(silent) as known:
        with pytest.raises(EngineError, match="ReadTimeout"):
            await known.running()
        with pytest.raises(EngineError, match="ReadTimeout"):
            async with known.events(None):
                pass


async def test_a_certificate_that_is_refused_only_as_the_answer_is_read_is_the_same_error() -> None:
    def refusing(_: httpx.Request) -> httpx.Response:
        raise ssl.SSLError(1, "sslv3 alert bad certificate")

    async with engine(refusing) as known:
        with pytest.raises(EngineError, match="bad certificate"):
            await known.running()
        with pytest.raises(EngineError, match="bad certificate"):
            async with known.events(None):
                pass


async def test_an_unknown_container_is_nothing() -> None:
    async with engine(lambda _: httpx.Response(404, json={"message": "No such container"})) as known:
        assert await known.inspect(WEB) is None
    async with engine(lambda _: httpx.Response(200, json=inspection())) as known:
        found = await known.inspect(WEB)
        assert found is not None
        assert found.name == "web"


async def test_events_are_asked_for_from_a_moment_on_and_only_those_that_matter() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, content=b"one")

    async with engine(answer) as known:
        with pytest.raises(EngineError, match="ended the stream"):
            async with known.events(12.5) as chunks:
                assert [chunk async for chunk in chunks] == [b"one"]
    assert asked[0].params["since"] == "12.500000000"
    assert "exec_create" not in json.loads(asked[0].params["filters"])["event"]


@pytest.mark.parametrize(
    "path",
    [
        "/containers/create",
        "/containers/x/start",
        "/containers/x/json/../stop",
        "/v1.41/images/json",
        "/info",
        "/v1.41/exec",
    ],
)
async def test_nothing_else_can_be_asked(path: str) -> None:
    assert not ALLOWED.match(path)


async def test_a_hostile_id_asks_for_nothing_else() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with engine(never) as known:
        for odd in ("../../images", "x/../../x", "x?y", "x\n", ""):
            with pytest.raises(EngineError, match="not among what is asked"):
                await known.inspect(odd)


@pytest.mark.parametrize("text", ["", "docker.sock", "unix://relative", "ssh://host", "npipe:////./pipe", "tcp://"])
def test_what_is_no_engine_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not an engine"):
        Endpoint.parse(text)


def test_plain_tcp_is_for_loopback_only(tmp_path: Path) -> None:
    assert Endpoint.parse("tcp://127.0.0.1:2375").url == "http://127.0.0.1:2375"
    assert Endpoint.parse("tcp://[::1]").url == "http://[::1]:2375"
    with pytest.raises(InvalidInput, match="root on its host"):
        Endpoint.parse("tcp://10.0.0.7:2375")
    with pytest.raises(InvalidInput, match=r"has no ca\.pem, cert\.pem, key\.pem"):
        Endpoint.parse("tcp://10.0.0.7", str(tmp_path))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("none")
    there = Endpoint.parse("tcp://10.0.0.7", str(tmp_path))
    assert there.url == "https://10.0.0.7:2376"
    with pytest.raises(InvalidInput, match="cannot be used"):
        there.transport()
