"""The control plane: its name, the way there, and whether what answers is one, in the order in which a request goes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import httpx

from xds.cli.doctor.finding import Finding, error, ok, warning
from xds.cli.doctor.stranger import stranger

SLOW_NAME: Final = 1.0
PATIENCE: Final = 3.0
SKEW: Final = 5.0  # seconds: leases are ten, and half of them is when a heartbeat is due
_STATUS: Final = {"ok", "ready"}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a control plane's API is to be."""

    url: str
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Server | Finding:
        """Read --server or FAIRLEAD_SERVER; a finding for what is no URL."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
            better = url if "://" in url else f"http://{url.lstrip('/')}"
            return error("server", f"{url!r} is not a URL of a control plane", f"write it as in --server {better}")
        return cls(url, parts.scheme, parts.hostname, port)

    @property
    def is_here(self) -> bool:
        """Say whether it is on this machine by its own word."""
        return self.host in {"localhost", "127.0.0.1", "::1"}


def names(server: Server) -> tuple[list[str], Finding]:
    """Return the addresses of its host, none with an error."""
    begun = time.monotonic()
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        words = problem.strerror if isinstance(problem, OSError) else str(problem)
        fix = "mend the name in --server or FAIRLEAD_SERVER, or the resolver (/etc/resolv.conf, /etc/hosts); between "
        fix += "containers, both have to be in one network of their own, where names are those of the compose file"
        return [], error("name", f"{server.host} is not known here: {words}", fix)
    took = time.monotonic() - begun
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    says = f"{server.host} is {', '.join(addresses)}"
    if took > SLOW_NAME:
        fix = "the first name server in /etc/resolv.conf does not answer, or slowly"
        return addresses, warning("name", f"{says}, which took {took:.1f} s to find out", fix)
    return addresses, ok("name", says)


def reach(server: Server, addresses: list[str], *, inside: bool) -> Finding:
    """Say whether something listens at one of the addresses."""
    failed: list[tuple[str, OSError]] = []
    for address in addresses:
        try:
            socket.create_connection((address, server.port), timeout=PATIENCE).close()
        except OSError as problem:
            failed.append((address, problem))
        else:
            tried = "".join(f"; {each} does not answer" for each, _ in failed)
            return ok("reach", f"{address} port {server.port} accepts connections{tried}")
    _, why = failed[-1]
    words = (why.strerror or "no answer").lower()
    says = f"{' and '.join(each for each, _ in failed)} port {server.port}: {words}"
    if inside and server.is_here:
        fix = "127.0.0.1 is this container: name the control plane's service in the compose file, as in "
        fix += "http://control-plane:15080, or its host as http://host.docker.internal:15080; or start one here"
    elif isinstance(why, ConnectionRefusedError):
        fix = "start it (`fairlead serve`), or name the right port; one that listens on 127.0.0.1 serves its own host "
        fix += "only: --api 0.0.0.0:15080 with --token-file there"
    elif isinstance(why, TimeoutError):
        fix = "a firewall, a security group or a wrong address swallows it: allow TCP to this port"
    else:
        fix = "there is no way to that address from here: mend the route, or the address"
    return error("reach", says, fix)


def identity(server: Server, token: str, wall: Callable[[], datetime]) -> Iterator[Finding]:
    """Say whether what answers is a control plane, whether it takes the token, and how its clock stands."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE, trust_env=False) as client:
            before = wall()
            health = client.get("/readyz")
            after = wall()
            if not _is_ours(health):
                yield stranger(server.host, server.port, health)
                return
            about = client.get("/v1/version")
    except httpx.HTTPError as problem:
        yield stranger(server.host, server.port, problem)
        return
    yield from _version(str(_json(about).get("version") or ""), is_ready=health.is_success)
    yield _token(about, token)
    yield _clock(health, before, after)


def _is_ours(answer: httpx.Response) -> bool:
    said = _json(answer)
    return (said.get("status") in _STATUS and "revision" in said) or said.get("code") == "not_ready"


def _version(theirs: str, *, is_ready: bool) -> Iterator[Finding]:
    ours = version("fairlead")
    named = f"Fairlead {theirs}".rstrip()
    if not is_ready:
        fix = "wait for its store; its log says what it waits for"
        yield warning("control plane", f"{named} is there and not ready yet", fix)
    else:
        yield ok("control plane", f"{named} answers and is ready")
    if theirs not in {ours, ""}:
        yield warning("version", f"it is Fairlead {theirs}, this command is {ours}", "use one version on both sides")


def _token(answer: httpx.Response, token: str) -> Finding:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        says = "it does not take this token" if token else "it asks for a token, and there is none"
        return error("token", says, "give its token: --token-file PATH, FAIRLEAD_TOKEN_FILE or FAIRLEAD_TOKEN")
    if answer.is_success or answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return ok("token", "it takes the token" if token else "it asks for none")
    detail = _json(answer).get("detail") or f"HTTP {answer.status_code}"
    return error("token", f"it answers, and not to this: {detail}", "ask it by the name that it serves under")


def _clock(answer: httpx.Response, before: datetime, after: datetime) -> Finding:
    """Compare clocks to the second that HTTP tells, the way there and back considered."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return warning("clock", "it does not say what time it is", "ask it without a proxy between")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    ahead = (theirs - after).total_seconds()
    behind = (before - theirs).total_seconds() - 1.0  # the header leaves the fraction out
    off = max(ahead, behind, 0.0)
    if off <= SKEW:
        return ok("clock", "both clocks agree, to a second or so")
    which = "ahead of" if ahead > 0 else "behind"
    fix = "set both by NTP (timedatectl set-ntp true); leases do not suffer, certificates and reading journals do"
    return warning("clock", f"its clock is {off:.0f} s {which} this one", fix)


def _json(answer: httpx.Response) -> Mapping[str, object]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
