"""`guard`: what the shrink guard holds, and an operator's word to let it go."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.completion import services
from xds.cli.connection import connection
from xds.cli.exits import EXITS_HELP
from xds.cli.objects import Env, EnvOrAll
from xds.cli.output import Format, Output, field, print_json, print_table
from xds.model.names import DEFAULT_ENV

group = typer.Typer(
    no_args_is_help=True,
    help="""Instances that went by absence alone, and are served on.

    When silence (an expired lease, a lost source) would take more than half of a cluster's endpoints or a fifth of the
    clusters within a minute, they are held: Envoys keep them until they come back, are deleted, or are released here.
    """,
    epilog=EXITS_HELP,
)


@group.command("list")
def list_held(ctx: typer.Context, env: EnvOrAll = DEFAULT_ENV, output: Output = Format.TABLE) -> None:
    """List what is held."""
    with connection(ctx).client() as client:
        found = list(client.items("/v1/guard", env=env))
    if output is Format.JSON:
        print_json(found)
        return
    columns = {name: field(name) for name in ("id", "env", "service", "version", "address", "health")}
    print_table(columns, found, nothing="nothing is held")


@group.command()
def release(
    ctx: typer.Context,
    service: Annotated[
        str,
        typer.Argument(help="Only this service's instances; none: all of the environment.", autocompletion=services),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the journal.")] = "",
    env: Env = DEFAULT_ENV,
    output: Output = Format.TABLE,
) -> None:
    """Let go what is held: the absence is real. `fairlead guard release web --reason "the rack is gone"`."""
    said = {"env": env, "service": service, "reason": reason}
    body: dict[str, object] = {name: value for name, value in said.items() if value}
    with connection(ctx).client() as client:
        found = client.post("/v1/guard:release", body)
    if output is Format.JSON:
        print_json(found)
        return
    released = found.get("released")
    print_table({"released": field("id")}, _rows(released), nothing="nothing was held")


def _rows(released: object) -> list[dict[str, object]]:
    return [{"id": each} for each in released] if isinstance(released, list) else []


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(group, name="guard")
