"""Certificates for one test: an authority, a server of this host, and a client, as `docker` names their files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificates(folder: Path) -> Path:
    """Write `ca`, `server` and client (`cert.pem`, `key.pem`) into a folder, valid for a day; return the folder."""
    folder.mkdir(parents=True)
    authority = (folder / "ca.pem", folder / "ca-key.pem")
    _openssl("req", "-x509", *_KEY, "-days", "1", "-subj", "/CN=test authority", "-out", authority[0], "-keyout",
             authority[1])  # fmt: skip
    for use, certificate, key in (("server", "server.pem", "server-key.pem"), ("client", "cert.pem", "key.pem")):
        request, more = folder / f"{use}.csr", folder / f"{use}.ext"
        more.write_text(f"subjectAltName = IP:127.0.0.1\nextendedKeyUsage = {use}Auth\n")
        _openssl("req", *_KEY, "-subj", f"/CN={use}", "-out", request, "-keyout", folder / key)
        _openssl("x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial",
                 "-days", "1", "-extfile", more, "-out", folder / certificate)  # fmt: skip
    return folder


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)
