"""Binding an address for gRPC, exclusively, and saying in words why that is not possible."""

from __future__ import annotations

import socket

import grpc.aio

from xds.model.problems import Conflict


def bind(server: grpc.aio.Server, address: str, *, who: str = "ADS") -> int:
    """Bind one address exclusively and return its port; Conflict, in words, if it is taken or not ours."""
    try:
        port = int(server.add_insecure_port(address))
    except RuntimeError as error:
        raise _taken(address, who) from error
    if not port:
        raise _taken(address, who)
    return port


def _taken(address: str, who: str) -> Conflict:
    words = f"{who} cannot listen on {address}: {_why(address)}; stop what holds it, or choose another address"
    return Conflict(words, code="port_in_use")


def _why(address: str) -> str:
    """Ask the kernel again, for its reason: gRPC keeps it in a debug string."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, int(port)))
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    return "another program holds the port"
