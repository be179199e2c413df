"""`backup`, `restore`: the data folder, by the one who has it. They work on files and need no control plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.output import Format, Output, print_json

if TYPE_CHECKING:
    from xds.store.restore import Summary

DataDir = Annotated[
    str, typer.Option("--data-dir", envvar="FAIRLEAD_DATA_DIR", metavar="DIR", help="Where `serve` keeps its store.")
]


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy to make; it must not exist.")],
    data_dir: DataDir = "fairlead-data",
    output: Output = Format.TABLE,
) -> None:
    """Copy the store to FILE, while a control plane runs or not, and read the copy back.

    `fairlead backup /backups/$(date +%F).db`. The journal is in it.
    """
    from xds.store.restore import make_backup

    _say(f"backed up to {file}", make_backup(Path(data_dir), Path(file)), {"file": file}, output)


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup.")],
    data_dir: DataDir = "fairlead-data",
    output: Output = Format.TABLE,
) -> None:
    """Put a backup in place of the store. The control plane must be stopped; what was there is set aside.

    Envoys keep what they have until it is started again, and are then sent what the backup holds.
    """
    from xds.control.clock import SystemClock
    from xds.store.restore import restore as put_back

    found, aside = put_back(Path(file), Path(data_dir), SystemClock().wall())
    where = f"; what was there is in {aside}" if aside is not None else ""
    _say(f"restored from {file}{where}", found, {"file": file, "aside": None if aside is None else str(aside)}, output)


def _say(sentence: str, found: Summary, about: dict[str, object], output: Format) -> None:
    if output is Format.JSON:
        figures = {"schema": found.schema, "revision": found.revision, "objects": found.objects, "lines": found.lines}
        print_json({**about, **figures})
        return
    typer.echo(
        f"{sentence}\nrevision {found.revision}, {found.objects} objects, {found.lines} lines of the journal, verified"
    )


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backup)
    app.command()(restore)
