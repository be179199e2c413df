"""What the documents promise exists: commands, targets, links, tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.harness.repo import ROOT, name_of, tracked_files

DOCUMENTS = [path for path in tracked_files() if path.suffix == ".md"]
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _code(path: Path) -> list[str]:
    """The lines of fenced blocks and the inline code of a document."""
    found = CODE.findall(path.read_text(encoding="utf-8"))
    return [line.strip().removeprefix("$ ") for block, inline in found for line in (block or inline).splitlines()]


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_make_target_named_in_a_document_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {target for line in _code(path) for target in re.findall(r"^make ([a-z][a-z-]*)", line)}
    assert named <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_fairlead_command_named_in_a_document_exists(path: Path) -> None:
    commands = {
        tuple(match.split()[1:])
        for line in _code(path)
        for match in re.findall(r"(?:^|/|run )(fairlead(?: [a-z][a-z-]*){1,2})", line)
    }
    unknown = [" ".join(command) for command in sorted(commands) if not _is_command(command)]
    assert not unknown


def _is_command(words: tuple[str, ...]) -> bool:
    if not (ROOT / "xds" / "cli" / "main.py").is_file():
        return False
    from typer.testing import CliRunner

    app = importlib.import_module("xds.cli.main").app
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_points_to_something(path: Path) -> None:
    broken = []
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            broken.append(target)
    assert not broken


def _anchors(path: Path) -> set[str]:
    return {_slug(line.lstrip("#")) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_test_named_in_a_document_exists(path: Path) -> None:
    named = {name for line in _code(path) for name in re.findall(r"^tests/[\w./-]+", line)}
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_target_of_the_makefile_is_described() -> None:
    """`make help` lists what has a description; nothing is hidden from it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    described = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert set(phony.group(1).split()) == described
