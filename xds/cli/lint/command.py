"""The command `lint`: its options, its exit codes, and where its findings go."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.exits import Exit, Failed
from xds.cli.output import Row, field, print_json, print_table

if TYPE_CHECKING:
    from xds.cli.lint.files import Linted
    from xds.cli.lint.findings import Finding


class LintFormat(StrEnum):
    """How to write findings."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class DialectName(StrEnum):
    """Whose labels to read besides ours."""

    TRAEFIK = "traefik"
    REGISTRATOR = "registrator"


def lint(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Compose files, label sets, documents; - for stdin.")
    ],
    style: Annotated[
        LintFormat, typer.Option("--format", help="For people, programs, or pull requests.")
    ] = LintFormat.TEXT,
    dialect: Annotated[
        list[DialectName] | None, typer.Option("--dialect", help="Read the labels of another tool as well; repeatable.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Show what each label of a dialect became, and what did not map.")
    ] = False,
) -> None:
    """Say what is wrong with labels and documents, without a control plane.

    It reads what the agent and the API will read, by the same code. Ends with 0 where nothing is wrong, with 1 where
    something would be left out, and with 2 where something would be refused.
    """
    from xds.cli.documents import read_texts
    from xds.cli.lint.files import Linted, finish
    from xds.cli.lint.files import lint as lint_file
    from xds.cli.lint.findings import Level, counted, worst
    from xds.labels.dialect import Dialect

    if report and not dialect:
        raise Failed("--report is of a dialect; say which with --dialect", Exit.INVALID)
    linted = Linted()
    for file, text in read_texts(files, sys.stdin.buffer):
        lint_file(file, text, [Dialect(each) for each in dialect or ()], linted)
    findings = finish(linted)
    if report:
        _report(linted, style)
    else:
        _write(findings, style)
        if style is LintFormat.TEXT:
            typer.echo(counted(findings), err=True)
    level = worst(findings)
    raise typer.Exit({Level.ERROR: Exit.INVALID, Level.WARNING: Exit.REFUSED}.get(level, Exit.DONE))


def _write(findings: Iterable[Finding], style: LintFormat) -> None:
    if style is LintFormat.JSON:
        print_json({"findings": [finding.document() for finding in findings]})
        return
    for finding in findings:
        typer.echo(finding.annotation() if style is LintFormat.GITHUB else finding.text())


def _report(linted: Linted, style: LintFormat) -> None:
    """Print each label of a dialect with what it became, or why it did not."""
    rows: list[Row] = []
    for labels, done in linted.sets:
        where = labels.container.name
        became = sorted((theirs, ours) for ours, theirs in done.translated.origins.items())
        rows += [
            {"container": where, "label": theirs, "becomes": f"{ours}={done.translated.labels[ours]}"}
            for theirs, ours in became
        ]
        rows += [
            {"container": where, "label": note.label, "becomes": "", "why not": note.why}
            for note in done.translated.left
        ]
    if style is LintFormat.JSON:
        print_json({"labels": rows})
        return
    columns = {name: field(name) for name in ("container", "label", "becomes", "why not")}
    print_table(columns, rows, nothing="no label of these dialects")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(lint)
