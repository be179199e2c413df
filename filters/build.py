"""Builds the filter from its sources, and runs its native tests. Standard library only; run by ``make filter``.

    python filters/build.py            builds ``health.wasm``, ``health.wasm.sha256`` and ``health-trap.wasm``
    python filters/build.py --test     runs the crate's native tests and its laws (a minute or two the first time)
    python filters/build.py --check    fails unless the built files belong to the sources as they are

It knows two ways to a Wasm compiler, Debian's packages (installed when run as root) and a rustup toolchain that has
the target, and refuses to go on without one. An artefact names no path of the machine that built it and carries the
digest of its sources in the custom section ``fairlead.sources``. ``health-trap.wasm`` is for tests alone: the same
filter, which a request with the header ``x-trap`` ends.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CRATE = HERE / "health"
LAWS = HERE / "properties"
ARTEFACT = HERE / "health.wasm"
TRAPPING = HERE / "health-trap.wasm"
TARGET = "wasm32-unknown-unknown"
SECTION = "fairlead.sources"
DEBIAN_PACKAGES = ("rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22")
BUILD_SECONDS = 900


class BuildError(Exception):
    """The build cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Toolchain:
    """A way to compile: the command, what it needs in the environment, and extra arguments."""

    cargo: str
    arguments: tuple[str, ...] = ()
    rust_flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def sources_digest(crate: Path = CRATE) -> str:
    """SHA-256 in hex over the sorted sources: path, NUL, length, NUL, content of each."""
    files = [crate / "Cargo.toml", crate / ".cargo" / "config.toml", *(crate / "src").rglob("*.rs")]
    digest = hashlib.sha256()
    for path in sorted((p for p in files if p.is_file()), key=lambda p: p.relative_to(crate).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(crate).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def leb128(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def custom_section(name: str, content: bytes) -> bytes:
    """A custom section, as it may be appended to any module."""
    body = leb128(len(name.encode())) + name.encode() + content
    return b"\0" + leb128(len(body)) + body


def read_custom_section(module: bytes, name: str) -> bytes | None:
    """Content of the last custom section of that name; None when there is none. Raises ValueError on broken bytes."""
    found, at = None, 8

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(module) or shift > 28:
                raise ValueError("not a Wasm module")
            byte = module[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    if module[:8] != b"\0asm\1\0\0\0":
        raise ValueError("not a Wasm module")
    while at < len(module):
        kind = module[at]
        at += 1
        end = number() + at
        if kind == 0:
            length = number()
            if module[at : at + length] == name.encode():
                found = module[at + length : end]
        at = end
    return found


def debian() -> Toolchain | None:
    """Debian's compiler, which builds the core library for the target from its source package."""
    vendored = sorted(Path("/usr/src").glob("rustc-*/library/vendor"))
    linker = shutil.which("wasm-ld-22")
    if not (vendored and linker and Path("/usr/bin/cargo").exists() and Path("/usr/bin/rustc").exists()):
        return None
    source = vendored[-1]
    return Toolchain(
        cargo="/usr/bin/cargo",
        arguments=(
            "-Zbuild-std=core,alloc",
            "--config=source.crates-io.replace-with='rust-src'",
            f"--config=source.rust-src.directory='{source}'",
        ),
        rust_flags=("-Zlocation-detail=none", f"--remap-path-prefix={source.parent.parent}=rust"),
        environment={
            "RUSTC_BOOTSTRAP": "1",
            "RUSTC": "/usr/bin/rustc",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER": linker,
        },
    )


def rustup() -> Toolchain | None:
    """A toolchain on PATH that brings the target's library."""
    cargo, rustc = shutil.which("cargo"), shutil.which("rustc")
    if not (cargo and rustc):
        return None
    asked = subprocess.run(
        [rustc, "--print", "target-libdir", "--target", TARGET], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0 or not list(Path(asked.stdout.strip()).glob("libcore-*.rlib")):
        return None
    sysroot = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, check=True)
    return Toolchain(cargo=cargo, rust_flags=(f"--remap-path-prefix={sysroot.stdout.strip()}=rust",))


def install_debian() -> bool:
    """Installs Debian's compiler; False where that is not possible."""
    installer = shutil.which("apt-get")
    if os.geteuid() != 0 or installer is None:
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *DEBIAN_PACKAGES]):
        if subprocess.run([installer, *command], env=environment, check=False).returncode != 0:
            return False
    return True


def toolchain() -> Toolchain:
    """The first way to compile that is there, or can be made to be there."""
    found = debian() or rustup()
    if found is None and install_debian():
        found = debian()
    if found is None:
        raise BuildError(
            f"no Rust compiler with the target {TARGET}. Either run this as root on Debian or Ubuntu (it installs "
            f"{', '.join(DEBIAN_PACKAGES)}), or install rustup and run: rustup target add {TARGET}"
        )
    return found


def machine_paths() -> tuple[bytes, ...]:
    """What may not stand in the artefact."""
    return tuple(str(p).encode() for p in (HERE.parent, Path.home(), "/usr/src", "/home/", "/root/", "/rustc/"))


def build(*features: str) -> bytes:
    """Compiles the crate; the module's bytes with its sources' digest in them."""
    tools = toolchain()
    flags = [*tools.rust_flags, f"--remap-path-prefix={CRATE}=filter"]
    environment = os.environ | tools.environment | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
    environment |= {"CARGO_TARGET_DIR": str(CRATE / "target" / "wasm"), "CARGO_NET_OFFLINE": "true"}
    command = [tools.cargo, "build", "--lib", "--release", "--target", TARGET, *tools.arguments]
    command += [f"--features={','.join(features)}"] if features else []
    done = subprocess.run(command, cwd=CRATE, env=environment, check=False, timeout=BUILD_SECONDS)
    if done.returncode != 0:
        raise BuildError(f"{tools.cargo} build ended with status {done.returncode}")
    module = (CRATE / "target" / "wasm" / TARGET / "release" / "health.wasm").read_bytes()
    for path in machine_paths():
        if path in module:
            raise BuildError(f"the artefact contains the path {path.decode()}")
    return module + custom_section(SECTION, sources_digest().encode())


def test() -> int:
    """Runs the crate's tests natively, and its laws, whose library comes from the registry; the status of cargo.

    Without what makes the artefact small, and builds slow.
    """
    cargo = shutil.which("cargo") or toolchain().cargo
    quickly = ("--release", "--config=profile.release.lto=false", "--config=profile.release.codegen-units=16")
    for crate, options, is_offline in ((CRATE, quickly, "true"), (LAWS, (), "false")):
        target = {"CARGO_TARGET_DIR": str(crate / "target" / "native"), "CARGO_NET_OFFLINE": is_offline}
        command, environment = [cargo, "test", "--lib", "--quiet", *options], os.environ | target
        done = subprocess.run(command, cwd=crate, env=environment, check=False, timeout=BUILD_SECONDS)
        if done.returncode != 0:
            return done.returncode
    return 0


def check() -> None:
    """Raises BuildError unless the committed artefacts were built from the sources beside them."""
    module = ARTEFACT.read_bytes()
    named = ARTEFACT.with_suffix(".wasm.sha256").read_text().split()
    if not named or named[0] != hashlib.sha256(module).hexdigest():
        raise BuildError("health.wasm.sha256 does not belong to health.wasm")
    for path in (ARTEFACT, TRAPPING):
        if read_custom_section(path.read_bytes(), SECTION) != sources_digest().encode():
            raise BuildError(f"{path.name} was built from other sources; run: make filter")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Builds and tests the filter.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--test", action="store_true", help="run the native tests instead")
    group.add_argument("--check", action="store_true", help="compare the artefact with the sources instead")
    options = parser.parse_args(arguments)
    try:
        if options.test:
            return test()
        if options.check:
            check()
            return 0
        module, trapping = build(), build("trap")
    except (BuildError, OSError, subprocess.TimeoutExpired) as error:
        print(f"filter: {error}", file=sys.stderr)
        return 1
    ARTEFACT.write_bytes(module)
    TRAPPING.write_bytes(trapping)
    digest = hashlib.sha256(module).hexdigest()
    ARTEFACT.with_suffix(".wasm.sha256").write_text(f"{digest}  health.wasm\n")
    print(f"filter: health.wasm, {len(module)} bytes, sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
