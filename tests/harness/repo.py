"""The repository as the house rules see it: which files are tracked, and what Python modules hold."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is committed or would be (not ignored), present now; sorted."""
    listed = subprocess.run(
        [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file()))


def files_under(*folders: str, suffix: str = ".py") -> list[Path]:
    """Tracked files below the named top-level folders."""
    return [p for p in tracked_files() if p.suffix == suffix and p.relative_to(ROOT).parts[0] in folders]


def name_of(path: Path) -> str:
    """The path as people write it, relative to the repository; used as test id."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str | None:
    """The file's text, or None for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
