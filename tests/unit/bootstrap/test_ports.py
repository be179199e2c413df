"""Ports of one host, shared by several Envoys without sharing a port."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from xds.bootstrap.ports import PortInUse, Ports, occupied
from xds.model.instance import Address
from xds.model.problems import InvalidInput

HERE = "127.0.0.1"


def test_port_0_becomes_a_free_one_and_a_given_port_stays(free_port: Callable[[], int]) -> None:
    given = free_port()
    with Ports() as ports:
        found = ports.allocate({"admin": Address(HERE, 0), "egress": Address(HERE, given), "ingress": Address(HERE, 0)})
    assert list(found) == ["admin", "egress", "ingress"]
    assert found["egress"].port == given
    assert len({address.port for address in found.values()}) == 3


def test_a_port_that_somebody_listens_on_is_refused_by_name() -> None:
    with socket.create_server((HERE, 0)) as server, Ports() as ports:
        taken = Address(HERE, server.getsockname()[1])
        with pytest.raises(PortInUse, match=f"egress {taken}: the port is in use") as caught:
            ports.allocate({"egress": taken})
    assert caught.value.pointer == "/egress"


def test_a_port_that_its_owner_would_share_is_refused_too() -> None:
    """Envoy listens with SO_REUSEPORT: a second one would get half of the connections without a word."""
    with socket.socket() as envoy:
        envoy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        envoy.bind(("0.0.0.0", 0))
        envoy.listen()
        assert occupied(Address(HERE, envoy.getsockname()[1])) == "the port is in use"


def test_connections_of_yesterday_do_not_hold_a_port() -> None:
    """An Envoy that is restarted finds its port in TIME_WAIT."""
    with socket.create_server((HERE, 0)) as server:
        address = Address(HERE, server.getsockname()[1])
        client = socket.create_connection((address.host, address.port))
        served, _ = server.accept()
        served.close()  # the side that closes first keeps TIME_WAIT
        client.close()
    assert occupied(address) == ""


def test_two_starters_cannot_have_the_same_port_even_before_anybody_listens(free_port: Callable[[], int]) -> None:
    wanted = {"ingress": Address(HERE, free_port())}
    with Ports() as first, Ports() as second:
        first.allocate(wanted)
        with pytest.raises(PortInUse, match="another Envoy was started"):
            second.allocate(wanted)
        first.close()
        assert second.allocate(wanted) == wanted


def test_one_envoy_cannot_use_a_port_twice(free_port: Callable[[], int]) -> None:
    port = free_port()
    with Ports() as ports, pytest.raises(InvalidInput, match="both on port"):
        ports.allocate({"egress": Address(HERE, port), "ingress": Address("0.0.0.0", port)})


def test_an_address_of_another_host_is_refused() -> None:
    assert occupied(Address("192.0.2.1", 15001)) == "this host does not have the address"
