"""What the API is told at its start; it reads no environment and no file."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from xds.model.problems import InvalidInput


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the API listens, who may use it and how much it reads; sizes are bytes, times are seconds.

    Without a token the API serves loopback only, unless `insecure_non_loopback` says that the operator wants that.
    """

    host: str = "127.0.0.1"
    port: int = 15080
    token: str | None = None
    insecure_non_loopback: bool = False
    max_body: int = 1 << 20
    max_batch_body: int = 16 << 20
    max_batch_items: int = 10_000
    body_deadline: float = 5.0
    ads_host: str = "127.0.0.1"
    ads_port: int = 15010

    def __post_init__(self) -> None:
        """Refuse an empty token, and an open door beyond loopback."""
        if self.token is not None and not self.token.strip():
            raise InvalidInput("the token is empty", pointer="/token")
        if not self.token and not self.is_loopback and not self.insecure_non_loopback:
            raise InvalidInput(
                f"the API would listen on {self.host} without authentication: give it a token, listen on 127.0.0.1, "
                "or say --insecure-non-loopback",
                pointer="/host",
                code="insecure",
            )

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def checks_host(self) -> bool:
        """Say whether the Host header has to name loopback: the only guard against DNS rebinding without a token."""
        return self.token is None and self.is_loopback
