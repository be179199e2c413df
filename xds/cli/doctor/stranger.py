"""What answers where a control plane should: another port of ours, an Envoy, TLS, or somebody else."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final

import httpx

from xds.cli.doctor.finding import Finding, error

ABOUT: Final = "control plane"
_SETTINGS: Final = 4  # the type of HTTP/2's first frame
_REQUEST: Final = b"GET /readyz HTTP/1.1\r\nHost: doctor\r\nConnection: close\r\n\r\n"


def stranger(host: str, port: int, answer: httpx.Response | httpx.HTTPError) -> Finding:
    """Say what it is, as well as it can be told from how it answers."""
    if isinstance(answer, httpx.Response):
        return _by_http(host, port, answer)
    if "WRONG_VERSION_NUMBER" in str(answer) or "record layer" in str(answer):
        return error(ABOUT, f"{host}:{port} speaks HTTP without TLS", f"write http://{host}:{port}")
    if _speaks_tls(host, port):
        return _secured(host, port)
    begun = _first_bytes(host, port)
    if len(begun) > _SETTINGS and begun[3] == _SETTINGS and begun[:2] == b"\0\0":
        fix = "name the API's port: 15080 unless --api says otherwise"
        return error(ABOUT, f"{host}:{port} speaks gRPC: it is where Envoys connect (ADS), not the API", fix)
    words = str(answer) or type(answer).__name__
    return error(ABOUT, f"{host}:{port} does not answer as a control plane does: {words}", _right())


def _by_http(host: str, port: int, answer: httpx.Response) -> Finding:
    kind = answer.headers.get("server", "")
    if kind == "envoy" and _is_admin(host, port):
        fix = "name the API's port (15080 unless --api says otherwise); this one is for `fairlead doctor --admin`"
        return error(ABOUT, f"{host}:{port} is the admin interface of an Envoy", fix)
    if answer.status_code == httpx.codes.BAD_REQUEST and _speaks_tls(host, port):
        return _secured(host, port)
    what = f"{kind} answers" if kind else "something answers"
    says = f"{what} at {host}:{port} with HTTP {answer.status_code}, and it is not Fairlead"
    if answer.status_code in {httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT}:
        return error(ABOUT, says, "a proxy stands between, and does not reach the control plane behind it")
    return error(ABOUT, says, _right())


def _secured(host: str, port: int) -> Finding:
    return error(ABOUT, f"{host}:{port} speaks TLS", f"write https://{host}:{port}")


def _speaks_tls(host: str, port: int) -> bool:
    """Say whether a handshake succeeds there, whoever the certificate is made out to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=2.0) as plain, context.wrap_socket(plain):
            return True
    except (ssl.SSLError, OSError):
        return False


def _right() -> str:
    return "name the control plane's API with --server or FAIRLEAD_SERVER: port 15080, unless it was told otherwise"


def _is_admin(host: str, port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError, ValueError):
        found = httpx.get(f"http://{host}:{port}/server_info", timeout=2.0, trust_env=False).json()
        return isinstance(found, dict) and "command_line_options" in found
    return False


def _first_bytes(host: str, port: int) -> bytes:
    """Return how it answers a plain request, a few bytes of it."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2.0) as link:
        link.sendall(_REQUEST)
        return link.recv(16)
    return b""
