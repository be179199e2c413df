"""A connection's budget of new streams, and how one is closed from this end."""

from __future__ import annotations

import socket

import pytest

from xds.ads.peers import MANY, Peers, address


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("ipv4:127.0.0.1:40112", ("127.0.0.1", 40112)),
        ("ipv6:%5B::1%5D:40112", ("::1", 40112)),
        ("ipv6:[fe80::1]:9", ("fe80::1", 9)),
        ("unix:", None),
        ("unix:/run/x:7", None),
        ("", None),
    ],
)
def test_a_peer_has_an_address_unless_it_is_a_unix_socket(peer: str, found: tuple[str, int] | None) -> None:
    assert address(peer) == found


def test_each_connection_has_a_budget_of_its_own_that_fills_again() -> None:
    peers = Peers(rate=1.0, burst=2.0)
    first, second = "ipv4:10.0.0.1:1", "ipv4:10.0.0.1:2"
    assert [peers.take(first, 0.0) for _ in range(3)] == [True, True, False]
    assert peers.take(second, 0.0)
    assert [peers.take(first, 1.0), peers.take(first, 1.0)] == [True, False]
    assert all(peers.take("unix:", 0.0) for _ in range(9)), "a unix socket has no name of its own"


def test_connections_at_rest_are_forgotten_and_busy_ones_are_not() -> None:
    peers = Peers(rate=1.0, burst=2.0)
    for port in range(MANY):
        peers.take(f"ipv4:10.0.0.1:{port}", 0.0)
    spent = "ipv4:10.0.0.2:1"
    for _ in range(3):
        peers.take(spent, 9.5)
    peers.take("ipv4:10.0.0.2:2", 10.0)
    assert len(peers._budgets) <= 3
    assert not peers.take(spent, 10.0)


@pytest.mark.parametrize(("family", "bind", "dial"), [("ipv4", "127.0.0.1", "127.0.0.1"), ("ipv6", "::1", "::1")])
def test_the_connection_of_one_peer_is_closed_and_no_other(family: str, bind: str, dial: str) -> None:
    kind = socket.AF_INET6 if family == "ipv6" else socket.AF_INET
    with socket.create_server((bind, 0), family=kind) as listener:
        clients = [socket.create_connection((dial, listener.getsockname()[1])) for _ in range(2)]
        served = [listener.accept()[0] for _ in clients]
        host, port = clients[0].getsockname()[:2]
        peer = f"ipv6:%5B{host}%5D:{port}" if family == "ipv6" else f"ipv4:{host}:{port}"
        peers = Peers(1.0, 1.0)
        assert peers.close(peer)
        assert not peers.close(peer), "once is enough"
        assert clients[0].recv(1) == b""
        clients[1].setblocking(False)
        with pytest.raises(BlockingIOError):
            clients[1].recv(1)
        for each in (*clients, *served):
            each.close()


def test_an_ipv4_client_of_a_socket_for_both_families_is_found() -> None:
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    client = socket.create_connection(("127.0.0.1", both.getsockname()[1]))
    served = both.accept()[0]
    with both, client, served:
        assert Peers(1.0, 1.0).close(f"ipv4:127.0.0.1:{client.getsockname()[1]}")
        assert client.recv(1) == b""


def test_nobody_is_closed_in_the_place_of_one_who_has_left() -> None:
    assert not Peers(1.0, 1.0).close("ipv4:192.0.2.1:9")
