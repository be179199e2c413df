"""`hold`: why nothing is accepted, and an operator's decision about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, cast

import typer

from xds.cli.connection import connection
from xds.cli.exits import EXITS_HELP
from xds.cli.output import Format, Output, Row, print_json, text

group = typer.Typer(
    no_args_is_help=True,
    help="""A store that is not believed: missing, empty, shrunken or damaged when the control plane started.

    The last known good state is served then: Envoys keep what they have, reads and heartbeats go on, and writes are
    refused until somebody decides here. docs/operations.md has the steps.
    """,
    epilog=EXITS_HELP,
)


class Keep(StrEnum):
    """What to go on with."""

    SERVED = "served"
    STORED = "stored"


@group.command()
def show(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """Show why nothing is accepted, what is served and what the store holds."""
    with connection(ctx).client() as client:
        found = client.get("/v1/hold")
    if output is Format.JSON:
        print_json(found)
        return
    if not found.get("held"):
        typer.echo("nothing is held: the store is believed")
        return
    served, stored = cast("Row", found["served"]), cast("Row", found["stored"])
    typer.echo(f"HELD       {found['reason']}")
    typer.echo(f"served     {served['objects']} objects at revision {served['revision']}, the last known good state")
    typer.echo(f"stored     {stored['objects']} objects at revision {stored['revision']}")
    typer.echo(f"different  {text(found.get('differences'))}")
    if found.get("aside"):
        typer.echo(f"set aside  {found['aside']}")
    typer.echo("\nfairlead hold release --keep served   go on with what Envoys have; it is written to the store")
    typer.echo("fairlead hold release --keep stored   the loss is real: Envoys are sent what the store holds")


@group.command()
def release(
    ctx: typer.Context,
    keep: Annotated[
        Keep, typer.Option("--keep", help="served: the last known good state; stored: what the store holds.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the journal.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Decide what counts from now on, and accept writes again."""
    with connection(ctx).client() as client:
        found = client.post("/v1/hold:release", {"keep": keep.value, **({"reason": reason} if reason else {})})
    if output is Format.JSON:
        print_json(found)
        return
    typer.echo(f"released with what was {keep.value}, as revision {found['revision']}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(group, name="hold")
