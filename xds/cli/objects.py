"""`get`, `delete`: reading what the control plane knows, and removing it by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli import nodes
from xds.cli.completion import kinds, names_of_kind
from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.kinds import ALL, KINDS, kind_of, path_of
from xds.cli.output import Listing, ListingOutput, Row, print_json, print_table, print_yaml
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client

Env = Annotated[str, typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="The environment.")]
EnvOrAll = Annotated[
    str,
    typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="The environment; `*` lists those of all."),
]
Selector = Annotated[
    str, typer.Option("-l", "--selector", help="Instances only, as in `version in (v1,v2),zone!=eu-1,!canary`.")
]
KindName = Annotated[str, typer.Argument(help=f"{ALL}.", autocompletion=kinds)]
Name = Annotated[str, typer.Argument(help="One object; all of the kind without it.", autocompletion=names_of_kind)]


def get(
    ctx: typer.Context,
    kind: KindName,
    name: Name = "",
    selector: Selector = "",
    env: EnvOrAll = DEFAULT_ENV,
    output: ListingOutput = Listing.TABLE,
) -> None:
    """List objects, or print one.

    `fairlead get instances -l version=v2`, `fairlead get rollouts -o wide`, `fairlead get nodes edge-1 -o yaml`.
    """
    plural = checked(kind, selector)
    listed = KINDS[plural]
    with connection(ctx).client() as client:
        rows = rows_of(client, plural, name, selector, env)
    if output in {Listing.JSON, Listing.YAML}:
        (print_json if output is Listing.JSON else print_yaml)(rows[0] if name and listed.by_name else {"items": rows})
    elif name and plural == "nodes":
        nodes.print_node(rows[0])
    else:
        columns = listed.shown(wide=output is Listing.WIDE)
        print_table(columns, rows, nothing=f"no {plural}" + (f" match {selector}" if selector else ""))


def checked(kind: str, selector: str) -> str:
    """Return the plural of a kind; Failed for a word that is none, and for one that cannot be selected by label."""
    plural = kind_of(kind)
    if selector and not KINDS[plural].selectable:
        raise Failed(f"{plural} cannot be selected by label: -l is for instances", Exit.INVALID)
    return plural


def rows_of(client: Client, plural: str, name: str, selector: str, env: str) -> list[Row]:
    """Return the objects of a kind as the API has them now; Refused where one is named that is not there."""
    listed = KINDS[plural]
    if name and listed.by_name:
        return [client.get(path_of(plural, name), env=env if listed.in_env else None)]
    rows = client.items(f"/v1/{plural}", env=env if listed.in_env else None, selector=selector)
    return [row for row in rows if not name or row.get(listed.named) == name]


def delete(
    ctx: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(
            help="instance, service, route, gateway, rollout, policy, overlay or agent.", autocompletion=kinds
        ),
    ],
    name: Annotated[str, typer.Argument(help="Its name or id.", autocompletion=names_of_kind)],
    env: Env = DEFAULT_ENV,
) -> None:
    """Remove one object by name.

    An instance leaves traffic before it is forgotten; a service with instances is refused.
    """
    plural = kind_of(kind)
    if not KINDS[plural].removable:
        raise Failed(f"{plural} are observed, not declared: there is nothing to delete", Exit.INVALID)
    with connection(ctx).client() as client:
        client.delete(path_of(plural, name), env=env)
    typer.echo(f"{KINDS[plural].one} {name} deleted")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(get)
    app.command()(delete)
