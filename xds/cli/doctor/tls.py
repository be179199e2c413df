"""TLS on the way to the control plane: who signed the certificate, for which name, and until when."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Final

from xds.cli.doctor.finding import Finding, error, ok, warning

ABOUT: Final = "TLS"
SOON: Final = 14 * 86_400.0  # seconds
PATIENCE: Final = 3.0
_EXPIRED: Final = 10  # OpenSSL's X509_V_ERR_...
_NOT_YET: Final = 9
_NAME: Final = frozenset({62, 64})
_UNSIGNED: Final = frozenset({18, 19, 20, 21})


def examine(host: str, port: int, now: datetime, context: ssl.SSLContext | None = None) -> Finding | None:
    """Return how a server's certificate stands; None where it does not speak TLS, which is said elsewhere.

    `context` has the authorities to believe, those of this machine by default.
    """
    trusted = context or ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            trusted.wrap_socket(plain, server_hostname=host) as link,
        ):
            certificate, spoken = link.getpeercert() or {}, link.version()
    except ssl.SSLCertVerificationError as problem:
        return _refused(host, problem)
    except (ssl.SSLError, OSError):
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = (ends - now).total_seconds()
    if left < SOON:
        says = f"the certificate of {host} ends in {left / 86_400:.0f} days ({ends:%Y-%m-%d})"
        return warning(ABOUT, says, "renew it now, or see why it does not renew itself")
    return ok(ABOUT, f"{spoken}, a certificate for {host} until {ends:%Y-%m-%d}")


def _refused(host: str, problem: ssl.SSLCertVerificationError) -> Finding:
    code = problem.verify_code
    words = str(problem.verify_message).rstrip(".")
    if code == _EXPIRED:
        return error(ABOUT, f"the certificate of {host} has expired", "renew it, or set this host's clock right")
    if code == _NOT_YET:
        return error(ABOUT, f"the certificate of {host} is not valid yet", "look at the clocks of both hosts")
    if code in _NAME:
        return error(ABOUT, f"the certificate is not for {host}: {words}", "use the name that it was made out to")
    if code in _UNSIGNED:
        fix = "add its authority to this host's (update-ca-certificates), or have it signed by a known one"
        return error(ABOUT, f"nobody that this host trusts signed the certificate of {host}: {words}", fix)
    return error(ABOUT, f"the certificate of {host} is refused: {words}", "see what its issuer says")
