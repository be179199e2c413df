"""`explain`: where traffic goes and why, from a service or from one container, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xds.cli.completion import services_and_containers
from xds.cli.connection import connection
from xds.cli.container_screen import print_container
from xds.cli.exits import Exit, Failed
from xds.cli.health_words import decided
from xds.cli.kinds import KINDS, SAFE_IN_PATH, SAFE_OF_ENGINES
from xds.cli.objects import Env
from xds.cli.output import Cell, Format, Output, Row, console_print, field, print_json, table, text, weights
from xds.cli.preview import preview_words
from xds.cli.verdict import judged
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client, Json

_NOT_FOUND = 404


def explain(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE|CONTAINER",
            help="A service, or a container: its name, id, or instance.",
            autocompletion=services_and_containers,
        ),
    ],
    env: Env = DEFAULT_ENV,
    container: Annotated[
        bool, typer.Option("--container", help="The container of that name, where a service is called so, too.")
    ] = False,
    agent: Annotated[str, typer.Option(metavar="ID", help="Only a container that this agent sees.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show where traffic goes and why.

    Of a service: instances, subsets, clusters, weights wanted and acknowledged. Of a container: its labels, its address
    and those rejected, its health and who decided it, its subset and weight, and which Envoys have it; or why it is not
    registered.
    """
    with connection(ctx).client() as client:
        service, why = (None, "") if container or agent else _service(client, name, env)
        found = _container(client, name, agent, why) if service is None else service
        if output is Format.JSON:
            print_json(found)
        elif service is None:
            print_container(found)
        else:
            _print_service(found, client.get(f"/v1/rollouts/{found['rollout']}") if found.get("rollout") else {})
            if _is_container(client, name):
                typer.echo(f"a container is called so, too: fairlead explain --container {name}", err=True)


def _service(client: Client, name: str, env: str) -> tuple[Json | None, str]:
    """Return a service explained, or None and why there is none."""
    from xds.cli.client import Refused

    if not name or not set(name) <= SAFE_IN_PATH:
        return None, ""
    try:
        return client.get(f"/v1/services/{name}:explain", env=env), ""
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None, str(refused)
        raise


def _container(client: Client, name: str, agent: str, no_service: str) -> Json:
    from xds.cli.client import Refused

    called = name.removeprefix("/")  # as `docker inspect` writes it
    if not called or not set(called) <= SAFE_OF_ENGINES:
        raise Failed(f"{name!r} can be no name of a container", Exit.INVALID)
    try:
        return client.get(f"/v1/containers/{called}:explain", agent=agent)
    except Refused as refused:
        if refused.status == _NOT_FOUND and no_service:
            raise Failed(f"{no_service}, and {refused}") from None
        raise


def _is_container(client: Client, name: str) -> bool:
    from xds.cli.client import Refused

    try:
        client.get(f"/v1/containers/{name}")
    except Refused as refused:
        return refused.status != _NOT_FOUND  # several are called so
    return True


def _print_service(found: Row, rollout: Row) -> None:
    typer.echo(
        f"{found['env']}/{found['service']}  stable {text(found.get('stable'))}  rollout {text(found.get('rollout'))}"
    )
    typer.echo(f"wanted     {weights(found.get('wanted'))}\npublished  {weights(found.get('effective'))}")
    typer.echo("".join(f"{words}\n" for words in (*preview_words(rollout), *judged(rollout))))
    subsets: dict[str, Cell] = {
        "subset": field("name"), "wanted": lambda row: f"{row.get('wanted')} %",
        "published": lambda row: f"{row.get('effective')} %", "serving": field("serving"),
        "clusters": field("clusters"),
    }  # fmt: skip
    members: dict[str, Cell] = {
        "instance": field("id"), "version": field("version"), "address": field("address"), "weight": field("weight"),
        "health": field("health"), "serves": field("serves"), "leaving": field("leaving"),
        "held": field("held"), "overlays": field("overlays"), "decided by": decided,
    }  # fmt: skip
    envoys: dict[str, Cell] = {
        "envoy": field("node"), "state": field("state"), "sent": lambda row: weights(row.get("sent")),
        "acked": lambda row: weights(row.get("acked")), "says": field("message"),
    }  # fmt: skip
    policy = {"field": field("field"), "value": field("value"), "by": field("by")}
    proposals: dict[str, Cell] = {
        "proposed by": field("version"), "field": field("field"), "wanted": field("wanted"), "holds": field("holds"),
    }  # fmt: skip
    shared = {name: KINDS[name].columns for name in ("routes", "overlays", "breakers", "problems")}
    parts: dict[str, Mapping[str, Cell]] = {
        "subsets": subsets,
        "instances": members,
        "nodes": envoys,
        "policy": policy,
        "proposals": proposals,
    }
    parts.update(shared)
    for name, columns in parts.items():
        rows = cast("list[Row]", found.get(name) or [])
        if rows:
            console_print(table(columns, rows))
        else:
            typer.echo(f"no {name}" if name != "nodes" else "no live Envoy holds a route of it")
        typer.echo()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(explain)
