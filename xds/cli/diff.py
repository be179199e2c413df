"""`diff`: what differs, between files and what is there, or between two moments."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.apply import Env, Set
from xds.cli.exits import Exit, Failed
from xds.cli.journal import between
from xds.cli.output import Format, Output
from xds.cli.plan import EPILOG, drift
from xds.model.names import DEFAULT_ENV


def diff(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Option("-f", "--file", metavar="PATH", help="Compare with files, as `apply` reads them."),
    ] = None,
    name: Set = "",
    env: Env = DEFAULT_ENV,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="Compare the moment, as in 10m, with another.")] = "",
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="The later moment.", show_default="now")] = "",
    envoy: Annotated[bool, typer.Option("--envoy", help="Of moments, also Envoy resources, line by line.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what differs: from what files declare, or between two moments.

    With files, `-` is what they say and `+` what is there instead, field by field and label by label; with `--set` also
    what that set declared and the files name no more. `fairlead apply` with the same options repairs it.

    `fairlead diff -f shop/ --set shop`, `fairlead diff --at 10m`, `fairlead diff --at 2026-01-02T03:00:00Z --envoy`.
    """
    if bool(files) == bool(at):
        raise Failed("compare with files (-f) or with a moment (--at)", Exit.INVALID)
    if files:
        drift(ctx, files, name, env, output)
    else:
        between(ctx, at, to, output, envoy=envoy)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog=f"{EPILOG} Between moments: 0 in any case.")(diff)
