"""The guarded dialer: what may be called, and that nothing else is ever connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence

import pytest

from tests.harness.ports import free_port
from xds.net.dialer import Dialer
from xds.net.targets import LOOPBACK, PRIVATE, BlockedTarget, Targets, networks

PUBLIC = "93.184.216.34"
CHECKS = Targets(allowed=PRIVATE)
METADATA = [  # every spelling of reliability's table: none of them may be reached, whatever is allowed
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "::ffff:0:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%lo",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "255.255.255.255",
]
LOOPBACKS = ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
SPELLINGS = ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "①27.0.0.1", "0"]
"""What the system's resolver turns into 127.0.0.1 (the last into 0.0.0.0): vetted once it is resolved."""


class Line:
    """A dialer that notes each address before it would be connected to, and lets nothing out."""

    def __init__(self, targets: Targets, names: dict[str, list[list[str]]] | None = None) -> None:
        self.connected: list[tuple[str, int]] = []
        self._names = names or {}
        self.dialer = Dialer(targets, connect=self._connect, resolve=self._resolve if names else None)

    async def try_to_reach(self, host: str, port: int = 80) -> str:
        """What became of it: `blocked`, or the address that would have been connected to."""
        self.connected.clear()
        try:
            async with self.dialer.dial(host, port):
                raise AssertionError("nothing is let out")
        except BlockedTarget:
            assert not self.connected, "connect() ran before the refusal"
            return "blocked"
        except ConnectionRefusedError:
            return self.connected[-1][0]
        finally:
            self.dialer.close()

    async def _connect(self, opened: socket.socket, address: tuple[str, int]) -> None:
        self.connected.append(address)
        raise ConnectionRefusedError

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        answers = self._names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.mark.parametrize("address", METADATA)
async def test_h3_metadata_and_what_no_host_has_is_never_called(address: str) -> None:
    everything = Targets(allowed=networks("0.0.0.0/0", "::/0"))
    assert await Line(everything).try_to_reach(address) == "blocked"


@pytest.mark.parametrize("address", LOOPBACKS)
async def test_h3_loopback_is_called_only_where_it_is_allowed(address: str) -> None:
    assert await Line(CHECKS).try_to_reach(address) == "blocked"
    assert await Line(Targets(allowed=LOOPBACK)).try_to_reach(address) == address


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_h3_other_spellings_of_loopback_are_vetted_after_they_are_resolved(spelling: str) -> None:
    assert await Line(CHECKS).try_to_reach(spelling) == "blocked"


@pytest.mark.parametrize("address", ["10.0.0.7", "172.20.1.1", "192.168.1.9", "100.64.0.1", "fd12::1"])
async def test_private_networks_are_called_only_where_they_are_allowed(address: str) -> None:
    assert await Line(CHECKS).try_to_reach(address) == address
    assert await Line(Targets()).try_to_reach(address) == "blocked"
    assert await Line(Targets()).try_to_reach(PUBLIC) == PUBLIC


async def test_h3_a_name_that_also_leads_to_metadata_is_not_called_at_all() -> None:
    names = {"both.example": [[PUBLIC, "169.254.169.254"]]}
    assert await Line(CHECKS, names).try_to_reach("both.example") == "blocked"


async def test_h3_the_address_that_was_vetted_is_the_one_that_is_connected_to() -> None:
    """DNS that answers public first and metadata then: there is no second question within one call."""
    line = Line(CHECKS, {"turns.example": [[PUBLIC], ["169.254.169.254"]]})
    assert await line.try_to_reach("turns.example") == PUBLIC
    assert await line.try_to_reach("turns.example") == "blocked"


async def test_h3_this_process_is_not_called_on_any_address_of_this_host() -> None:
    mine = Targets(allowed=(*LOOPBACK, *PRIVATE), own_ports=frozenset({15080}))
    assert await Line(mine).try_to_reach("127.0.0.1", 15080) == "blocked"
    assert await Line(mine).try_to_reach("::ffff:127.0.0.1", 15080) == "blocked"
    assert await Line(mine).try_to_reach("127.0.0.1", 15081) == "127.0.0.1"
    assert await Line(mine).try_to_reach(PUBLIC, 15080) == PUBLIC


@pytest.mark.parametrize("host", ["", "user@10.0.0.7", "a..b", "x" * 300, "10.0.0.7/x", "10.0.0.7\r\n", "unix:/run/x"])
async def test_h3_what_is_no_host_is_not_connected_to(host: str) -> None:
    assert await Line(Targets(allowed=(*LOOPBACK, *PRIVATE))).try_to_reach(host) == "blocked"


async def test_proxies_in_the_environment_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://10.9.9.9:3128")
    assert await Line(CHECKS).try_to_reach("10.0.0.7") == "10.0.0.7"


async def test_a_connection_ends_with_its_block_and_so_does_one_that_is_given_up() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(100):
                writer.write(b"hello")
        except ConnectionError:
            pass
        finally:
            writer.close()
            ended.set()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        dialer = Dialer(Targets(allowed=LOOPBACK))
        async with dialer.dial("127.0.0.1", port) as connection:
            connection.writer.write(b"x")
            assert await connection.reader.readexactly(5) == b"hello"
            assert connection.address == "127.0.0.1"
        async with asyncio.timeout(5):
            await ended.wait()
        ended.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), dialer.dial("127.0.0.1", port, tls=ssl.create_default_context()):
                pass  # whoever serves here never answers a handshake in time
        async with asyncio.timeout(5):
            await ended.wait()
        dialer.close()
