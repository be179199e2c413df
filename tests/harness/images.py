"""Images made on this machine: a test's engine pulls nothing.

Knows how Debian's packages become `python:3.11-slim-bookworm`, the image that the shipped Dockerfile begins with (its
Python is this system's), and how the wheel's Envoy becomes an image. The base is kept under `build/images`, by the
digest of this file: packages are fetched once, by apt-get as it is set up here, and unpacked without being installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.harness.envoy import envoy_path
from tests.harness.repo import ROOT

BASE: Final = "python:3.11-slim-bookworm"
ENVOY: Final = "envoy-of-the-wheel:local"
KEPT: Final = ROOT / "build/images"
PACKAGES: Final = ("bash", "coreutils", "libstdc++6", "python3-pip")
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LINKS: Final = {
    **{name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")},
    "usr/bin/sh": "bash",
    "usr/local/bin/python": "/usr/bin/python3",
}
_UNUSED: Final = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/lib/python3*/lib2to3")
_PATIENCE_S: Final = 240


def base_archive() -> Path:
    """The base image as an archive for `docker import`; made unless it is there."""
    kept = KEPT / f"base-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}.tar"
    if not kept.is_file():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as folder:
            root, made = Path(folder) / "root", Path(folder) / "base.tar"
            _unpack(_fetched(Path(folder)), root)
            _run("tar", "-C", str(root), "-cf", str(made), ".")
            made.rename(kept)
    return kept


def base_settings() -> list[str]:
    """What `docker import` is told beside the archive: how pip finds its index and trusts it, as on this machine."""
    told = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and "://" in value}
    told |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "PIP_CERT": str(CERTIFICATES), "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    return [word for name, value in told.items() for word in ("-c", f"ENV {name}={value}")]


def envoy_context(folder: Path) -> Path:
    """A folder to build `ENVOY` in: the wheel's program where the official image has it."""
    shutil.copy(envoy_path(), folder / "envoy")
    (folder / "Dockerfile").write_text(
        f'FROM {BASE}\nCOPY envoy /usr/local/bin/envoy\nENTRYPOINT ["/usr/local/bin/envoy"]\n', encoding="utf-8"
    )
    return folder


def _fetched(folder: Path) -> list[Path]:
    """Every package that `PACKAGES` need, as files: resolved as on a system where nothing is installed."""
    nothing = folder / "status"
    nothing.touch()
    (folder / "archives/partial").mkdir(parents=True)
    fetch = [
        "apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", "-o", f"Dir::State::status={nothing}",
        "-o", f"Dir::Cache::archives={folder}/archives", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1",
        "install", *PACKAGES,
    ]  # fmt: skip
    if _run(*fetch, check=False).returncode != 0:  # package lists may be old, or not there yet
        _run("apt-get", "-qq", "update")
        _run(*fetch)
    return sorted((folder / "archives").glob("*.deb"))


def _unpack(packages: Sequence[Path], root: Path) -> None:
    """Put the packages' files where one /usr holds them, and what their installation would have made of them."""
    for name, target in LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
    for package in packages:
        files = _run("dpkg-deb", "--fsys-tarfile", str(package)).stdout
        unused = [f"--exclude=./{each}" for each in _UNUSED]
        _run("tar", "-C", str(root), *unused, "-x", "--keep-directory-symlink", given=files)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n", encoding="ascii")
    (root / "etc/group").write_text("root:x:0:\n", encoding="ascii")
    shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    _run("chroot", str(root), "/usr/bin/python3", "-m", "compileall", "-q", "/usr/lib/python3.11", "/usr/lib/python3")


def _run(*command: str, given: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=_PATIENCE_S)
    assert done.returncode == 0 or not check, f"{' '.join(command)[:200]}: {done.stderr.decode(errors='replace')}"
    return done
