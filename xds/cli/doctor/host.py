"""This place itself: whether it is a container, who holds which port, how many files a process may open."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from xds.cli.doctor.finding import Finding, error, note, ok, warning
from xds.model.instance import Address

FEW_FILES: Final = 4096
_LISTENS: Final = "0A"  # how /proc/net/tcp writes a socket that does


def in_container() -> bool:
    """Say whether this process is in a container of Docker, Podman or containerd."""
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    with contextlib.suppress(OSError):
        return any(word in Path("/proc/1/cgroup").read_text() for word in ("docker", "containerd", "kubepods"))
    return False


def ports(wanted: Mapping[str, Address]) -> Iterator[Finding]:
    """Look at each address that a control plane would listen on, by the option that names it."""
    for name, address in wanted.items():
        about = f"port {address.port}"
        why = _taken(address)
        if not why:
            yield ok(about, f"free for `fairlead serve --{name} {address}`")
            continue
        holder = holder_of(address.port)
        yield error(
            about,
            f"{address} is not to be had for {name}: {why}" + (f"; {holder} listens there" if holder else ""),
            f"end that program, or say another: fairlead serve --{name} {address.host}:{address.port + 1} "
            "(and the same to whoever connects)",
        )


def files() -> Iterator[Finding]:
    """Look at how many files and connections a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FEW_FILES or soft == resource.RLIM_INFINITY:
        yield ok("file limit", f"{soft} open files")
        return
    most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    yield warning(
        "file limit",
        f"a process may open {soft} files, and each connection of an Envoy or a client is one",
        f"`ulimit -n {min(65_536, hard) if hard > 0 else 65_536}` (at most {most} here); LimitNOFILE= in a unit of "
        "systemd, `ulimits: {nofile: 65536}` in a compose file",
    )


def place() -> Finding:
    """Return where the doctor stands: what it says of addresses holds for here."""
    if in_container():
        return note("place", f"in the container {socket.gethostname()}: 127.0.0.1 is the container, not its host")
    return ok("place", f"on {socket.gethostname()}")


def holder_of(port: int) -> str:
    """Return which program listens on a TCP port, as far as this user may see; "" where not, or not on Linux."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                parts = line.split()
                if parts[3] == _LISTENS and int(parts[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{parts[9]}]")
    if not inodes:
        return ""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has(process / "fd", inodes):
            with contextlib.suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _has(folder: Path, inodes: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in folder.iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in inodes:
                    return True
    return False


def _taken(address: Address) -> str:
    """Return why nobody can listen at an address now, "" where somebody can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if hasattr(socket, "SO_REUSEADDR"):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended lately do not count
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except OSError as problem:
            return (problem.strerror or str(problem)).lower()
    return ""
