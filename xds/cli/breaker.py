"""`breaker`: hold a version's circuit breaker open or closed in every Envoy, or give it back to its rule."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.completion import services
from xds.cli.connection import connection
from xds.cli.exits import EXITS_HELP
from xds.cli.kinds import path_of
from xds.cli.objects import Env
from xds.cli.output import text
from xds.model.names import DEFAULT_ENV

group = typer.Typer(
    no_args_is_help=True,
    help="""Circuit breakers, one for each version of a service in each Envoy.

    They open and close by the service's rule. `open` sends nobody to a version, `close` everybody whatever it answers,
    until `auto` gives it back; `fairlead get breakers` shows what Envoys tell.
    """,
    epilog=EXITS_HELP,
)

Service = Annotated[str, typer.Argument(help="The service's name.", autocompletion=services)]
Subset = Annotated[str, typer.Argument(help="Its version, or a declared subset.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the journal.")]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="How long, as in 10m; without it, until `auto`.")]


@group.command("open")
def open_(
    ctx: typer.Context, service: Service, subset: Subset, reason: Reason = "", lasts: For = "", env: Env = DEFAULT_ENV
) -> None:
    """Cut a version off. `fairlead breaker open web v2 --for 10m --reason "it loses orders"`."""
    _force(ctx, service, subset, env, {"force": "open", "reason": reason, "expires_in": lasts})


@group.command()
def close(
    ctx: typer.Context, service: Service, subset: Subset, reason: Reason = "", lasts: For = "", env: Env = DEFAULT_ENV
) -> None:
    """Keep sending users to a version, whatever it answers."""
    _force(ctx, service, subset, env, {"force": "closed", "reason": reason, "expires_in": lasts})


@group.command()
def auto(ctx: typer.Context, service: Service, subset: Subset, env: Env = DEFAULT_ENV) -> None:
    """Give a breaker back to its rule."""
    with connection(ctx).client() as client:
        client.delete(_path(service, subset), env=env)
    typer.echo(f"the breaker of {service} {subset} follows its rule again")


def _force(ctx: typer.Context, service: str, subset: str, env: str, said: dict[str, str]) -> None:
    body: dict[str, object] = {name: value for name, value in said.items() if value}
    with connection(ctx).client() as client:
        found = client.request("PUT", _path(service, subset), body=body, query={"env": env})
    left = text(found.get("expires_in"))
    typer.echo(f"the breaker of {service} {subset} is held {found['force']}" + ("" if left == "-" else f" for {left}"))


def _path(service: str, subset: str) -> str:
    return path_of("services", service) + path_of("breakers", subset).removeprefix("/v1")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(group, name="breaker")
