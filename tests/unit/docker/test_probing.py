"""Asking a container: what counts as an answer, and what a label may not make the agent call."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.unit.sources.test_check_probing import health_server, says, serving
from xds.model.check import Check, CheckKind
from xds.model.instance import Address
from xds.sources.docker.addresses import Candidate
from xds.sources.docker.probing import ask


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200"])
async def test_h3_a_metadata_service_is_not_called_whatever_a_label_says(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []

    class Watched(socket.socket):
        def __init__(self, *words: int) -> None:
            super().__init__(*words)
            opened.append(self)

    monkeypatch.setattr(socket, "socket", Watched)
    said = await ask(Candidate(address, {"default": 80}, "the label", Address(address, 80)), Check(CheckKind.TCP))
    assert "is not called" in said
    assert opened == []


def there(asked: int, **ports: int) -> Candidate:
    return Candidate("127.0.0.1", ports or {"default": asked}, "the label", Address("127.0.0.1", asked))


async def test_m04_a_grpc_server_is_asked_for_its_health() -> None:
    async with health_server(server=b"\x08\x01", shop=b"\x08\x02") as port:
        well = await ask(there(port), Check(CheckKind.GRPC))
        ill = await ask(there(port), Check(CheckKind.GRPC, service="shop"))
    assert (well, ill) == ("", f"port {port}: it says NOT_SERVING")
    async with serving(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        foreign = await ask(there(port), Check(CheckKind.GRPC))
    assert foreign == f"port {port}: it does not speak HTTP/2"


async def test_m20_a_registered_port_where_nobody_listens_is_found_though_the_check_answers() -> None:
    """Before there is traffic: a check on a port of its own says nothing of the others."""
    async with serving(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        listens = other.sockets[0].getsockname()[1]
        well = await ask(there(port, default=listens), Check(CheckKind.HTTP, port=port))
        other.close()
        await other.wait_closed()
        wrong = await ask(there(port, default=listens), Check(CheckKind.HTTP, port=port))
    assert well == ""
    assert wrong == f"port {listens} (default): nobody listens there, though port {port} answers"


async def test_a_sidecar_that_nobody_has_started_is_found_though_the_check_answers_elsewhere() -> None:
    async with serving(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as port, serving(says(b"")) as sidecar:
        at, behind = Address("127.0.0.1", port), {"default": 1}  # its own port is on loopback of another network
        check = Check(CheckKind.HTTP, port=port)
        there = Candidate("127.0.0.1", behind, "the label", at, Address("127.0.0.1", sidecar))
        gone = Candidate("127.0.0.1", behind, "the label", at, Address("127.0.0.1", 1))
        assert await ask(there, check) == ""
        assert await ask(gone, check) == f"port 1 (default): nobody listens there, though port {port} answers"
