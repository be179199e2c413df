"""`config check`, `config show`, `config migrate`: a file of settings tried, explained, and brought up to date."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from xds.cli.exits import Exit
from xds.cli.output import Format, Output, Row, console_print, field, print_json, table

if TYPE_CHECKING:
    from xds.cli.config.file import Configuration

MASKED: Final = "(hidden)"

File = Annotated[str, typer.Argument(envvar="FAIRLEAD_CONFIG", metavar="FILE", help="The file; else fairlead.yaml.")]
Overlay = Annotated[
    str,
    typer.Option("--env", envvar="FAIRLEAD_CONFIG_ENV", metavar="NAME", help="Lay FILE's overlay for NAME over it."),
]
commands = typer.Typer(no_args_is_help=True)


class CheckFormat(StrEnum):
    """How to write findings."""

    TEXT = "text"
    JSON = "json"


@commands.command()
def check(
    file: File = "fairlead.yaml",
    env: Overlay = "",
    agent: Annotated[bool, typer.Option("--agent", help="FILE is what `fairlead agent --config` takes.")] = False,
    style: Annotated[CheckFormat, typer.Option("--format", help="For people, or for programs.")] = CheckFormat.TEXT,
) -> None:
    """Say what is wrong or outdated in a file of settings, with line and column, and start nothing.

    Ends with 0 where `fairlead serve --config FILE` would start, with 2 where it would not.
    """
    from xds.cli.config.file import read, read_agent
    from xds.cli.config.settings import agent_problems, problems
    from xds.cli.lint.findings import Level

    found = (read_agent if agent else read)(Path(file), os.environ, env)
    findings = [*found.findings, *(agent_problems if agent else problems)(found, os.environ)]
    if style is CheckFormat.JSON:
        rows = [
            {"file": each.place.file, "line": each.place.line, "column": each.place.column, "level": each.level.value,
             "message": each.message}
            for each in findings
        ]  # fmt: skip
        print_json({"findings": rows})
    else:
        for each in findings:
            typer.echo(f"{each.place}: {each.level}: {each.message}")
        typer.echo(
            f"{len(found.values) + len(found.agent)} settings of {' and '.join(map(str, found.files))}", err=True
        )
    raise typer.Exit(Exit.INVALID if any(each.level is Level.ERROR for each in findings) else Exit.DONE)


@commands.command()
def show(
    file: File = "fairlead.yaml",
    env: Overlay = "",
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Print every setting as it would hold: environment over overlay over file over default. Secrets are hidden."""
    from xds.cli.config.file import Configuration, read

    found = read(Path(file), os.environ, env) if Path(file).exists() or file != "fairlead.yaml" else Configuration()
    rows = settings(found, os.environ)
    if output is Format.JSON:
        kept = ("value", "origin") if origin else ("value",)
        print_json({str(row["setting"]): {name: row[name] for name in kept} for row in rows})
        return
    names = ("setting", "value", "origin") if origin else ("setting", "value")
    console_print(table({name: field(name) for name in names}, rows))


def settings(found: Configuration, env: Mapping[str, str]) -> list[Row]:
    """Return a row for each setting, with its value and origin in words; secrets as `(hidden)`."""
    from xds.cli.config.keys import keys

    rows: list[Row] = []
    for path, key in keys().items():
        said = found.values.get(path)
        if env.get(key.variable):
            value, origin = env[key.variable], f"environment {key.variable}"
        elif said is not None:
            value, origin = said.text, str(said.place)
        else:
            value, origin = key.default, "default"
        shown = MASKED if key.secret and value else value
        rows.append({"setting": path, "value": shown, "origin": origin})
    for name, each in found.agent.items():
        rows.append({"setting": f"agent.{name}", "value": each, "origin": str(found.agent_places[name])})
    return rows


@commands.command()
def migrate(
    file: File = "fairlead.yaml",
    to: Annotated[int | None, typer.Option(metavar="VERSION", help="An older format, to go back to it.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Into FILE, which is kept as FILE.bak; else print it.")
    ] = False,
) -> None:
    """Rewrite a file of settings in the present format, comments and all, or in an older one."""
    from xds.cli.config.migration import migrated

    path = Path(file)
    text, moved = migrated(path, to)
    for before, after in moved.items():
        typer.echo(f"{before} is {after} now", err=True)
    if not write:
        sys.stdout.write(text)
        return
    path.with_name(path.name + ".bak").write_bytes(path.read_bytes())
    path.write_text(text, encoding="utf-8")
    typer.echo(f"{path} is written; what it was is in {path}.bak", err=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="config", help="A control plane's settings: check a file, show what holds, migrate.")
