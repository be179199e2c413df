"""Which addresses may be called: rules over numbers, after names have been resolved.

The standard library's classes are not enough (measured on 3.11: `::ffff:169.254.169.254` is not link-local there, and
NAT64, 6to4 and two clouds' metadata services count as global), so the list is our own. It knows no names, no sockets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(*texts: str) -> tuple[Network, ...]:
    """Return networks of their texts; ValueError for what is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


PRIVATE: Final = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
LOOPBACK: Final = networks("127.0.0.0/8", "::1/128")
_NEVER: Final = {
    "link-local, where clouds keep their metadata": networks("169.254.0.0/16", "fe80::/10", "fec0::/10"),
    "a cloud's metadata service": networks(
        "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32"
    ),
    "no address that one host has": networks(
        "0.0.0.0/8", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8"
    ),
    "a tunnel, whose other end nobody vouches for": networks("2001::/32", "64:ff9b:1::/48"),
}
_EMBEDDING: Final = (  # where an IPv4 address is written inside an IPv6 one, and how far from its right end
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)


class BlockedTarget(Exception):
    """An address that is not called; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Who may be called. What no list here can open: link-local, metadata services, multicast, reserved addresses.

    `allowed` are networks beyond the public internet; loopback counts only if it is among them. `own_ports` are ports
    of this process, which are not called on this host.
    """

    allowed: tuple[Network, ...] = ()
    own_ports: frozenset[int] = frozenset()

    def check(self, address: str) -> None:
        """Raise BlockedTarget unless `address` may be called; also for what is no address."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise BlockedTarget(f"{address[:64]!r} is not an address") from None
        for each in _meanings(found):
            if reason := self._refusal(each):
                raise BlockedTarget(f"{address} is not called: {reason}")

    def _refusal(self, address: IPAddress) -> str:
        if reason := never(address):
            return reason
        if _within(address, self.allowed):
            return ""
        if _within(address, LOOPBACK):
            return "loopback is not open to calls"
        return "private networks are not open to calls" if _within(address, PRIVATE) else ""


def never(address: IPAddress) -> str:
    """Return why an address is never called whatever is allowed, "" for one that may be."""
    return next((reason for reason, blocked in _NEVER.items() if _within(address, blocked)), "")


def never_called(address: str) -> str:
    """Return why nobody will ever call an address, whatever is allowed; "" for one that may be, or for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return next((reason for each in _meanings(found) if (reason := never(each))), "")


def _meanings(address: IPAddress) -> Iterator[IPAddress]:
    if address not in LOOPBACK[1]:  # ::1 lies in ::/96, and would read as 0.0.0.1
        for prefix, shift in _EMBEDDING:
            if address in prefix:
                yield ipaddress.IPv4Address(int(address) >> shift & 0xFFFF_FFFF)
                if prefix.network_address != ipaddress.IPv6Address("::"):
                    return
    yield address


def _within(address: IPAddress, nets: Iterable[Network]) -> bool:
    return any(address in net for net in nets)
