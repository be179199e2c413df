"""Where an engine listens, and with which certificates: `unix:///var/run/docker.sock`, `tcp://10.0.0.7:2376`.

Whoever may speak to an engine is root on its host. So plain TCP is for loopback only; beyond it, TLS on both sides.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from xds.model.problems import InvalidInput

SOCKET: Final = "unix:///var/run/docker.sock"
_FILES: Final = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One engine: a socket's path, or a base URL; `certificates` is a folder with ca.pem, cert.pem and key.pem."""

    text: str
    path: str = ""
    url: str = "http://engine"
    certificates: Path | None = None

    @classmethod
    def parse(cls, text: str, certificates: str = "") -> Endpoint:
        """Read what DOCKER_HOST holds; InvalidInput for what is none, or would be open to listeners on the way."""
        parts = urlsplit(text)
        if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
            return cls(text, path=parts.path)
        if parts.scheme not in {"tcp", "http", "https"} or not parts.hostname:
            raise InvalidInput(f"{text!r} is not an engine: unix:///PATH or tcp://HOST:PORT", pointer="/docker")
        folder = Path(certificates) if certificates else None
        if folder is None and (parts.scheme == "https" or not _is_loopback(parts.hostname)):
            raise InvalidInput(
                f"{text} without certificates: who speaks to an engine is root on its host. Give a folder with "
                f"{', '.join(_FILES)}, or use its socket",
                pointer="/docker_certificates",
                code="insecure",
            )
        if folder is not None and (missing := [name for name in _FILES if not (folder / name).is_file()]):
            raise InvalidInput(f"{folder} has no {', '.join(missing)}", pointer="/docker_certificates")
        scheme = "http" if folder is None else "https"
        port = parts.port or (2375 if folder is None else 2376)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(text, url=f"{scheme}://{host}:{port}", certificates=folder)

    def transport(self) -> httpx.AsyncHTTPTransport:
        """Return what carries requests there; InvalidInput for certificates that cannot be used."""
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=8)
        if self.path:
            return httpx.AsyncHTTPTransport(uds=self.path, limits=limits)
        if self.certificates is None:
            return httpx.AsyncHTTPTransport(limits=limits)
        ca, certificate, key = (str(self.certificates / name) for name in _FILES)
        try:
            context = ssl.create_default_context(cafile=ca)
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            message = f"the certificates in {self.certificates} cannot be used: {error}"
            raise InvalidInput(message, pointer="/docker_certificates") from None
        return httpx.AsyncHTTPTransport(verify=context, limits=limits)

    @property
    def stamps(self) -> tuple[int, ...]:
        """Return what is other once its certificates are: they are renewed where they lie."""
        folder = self.certificates
        return () if folder is None else tuple((folder / name).stat().st_mtime_ns for name in _FILES)

    def __str__(self) -> str:
        """Return it as it was given."""
        return self.text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
