"""`get`, `delete`: reading what the control plane knows, and removing it by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, cast

import typer

from xds.cli import nodes
from xds.cli.breaker_table import BREAKERS
from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.output import (
    Cell,
    Format,
    Output,
    Row,
    field,
    print_json,
    print_table,
    text,
    weights,
)
from xds.model.names import DEFAULT_ENV

Env = Annotated[str, typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="The environment.")]
EnvOrAll = Annotated[
    str,
    typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="The environment; `*` lists those of all."),
]
SAFE_IN_PATH: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
SAFE_OF_ENGINES: Final = SAFE_IN_PATH | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What names of containers are made of."""


def _address(row: Row) -> str:
    host = str(row.get("address", ""))
    return f"[{host}]:{row.get('port')}" if ":" in host else f"{host}:{row.get('port')}"


def _hosts(row: Row) -> str:
    return text(row.get("hosts"))


def _path(row: Row) -> str:
    return (
        " ".join(f"{kind} {value}" for kind, value in cast("dict[str, object]", row.get("path") or {}).items()) or "-"
    )


def _goes_to(row: Row) -> str:
    return weights(row["split"]) if row.get("split") else str(row.get("subset") or "by the service's split")


def _listeners(row: Row) -> str:
    found = cast("list[dict[str, object]]", row.get("listeners") or [])
    return ", ".join(_address(listener) for listener in found) or "-"


def _gate(row: Row) -> str:
    gate = cast("dict[str, object]", row.get("gate") or {})
    return f"{gate.get('acked', 0)} of {gate.get('live', 0)}"


def _says(row: Row) -> str:
    fields = ("timeout", "retry", "breaker", "limits", "allow_from", "mirror")
    return text([name for name in fields if row.get(name) is not None])


def _laid_on(row: Row) -> str:
    return f"{row['service']} {row['version']}" if row.get("service") else text(row.get("selector"))


def _percent(row: Row) -> str:
    return f"{row.get('weight')} %"


@dataclass(frozen=True, slots=True)
class Listed:
    """One kind of object: how its table looks, and whether its names live inside an environment.

    What is not `by_name` is listed and has no page of its own; `named` is the field that a name is compared with.
    """

    one: str
    columns: Mapping[str, Cell]
    in_env: bool = True
    named: str = "object"
    selectable: bool = False
    removable: bool = True
    by_name: bool = True


KINDS: Final[Mapping[str, Listed]] = {
    "instances": Listed(
        "instance",
        {
            "id": field("id"), "service": field("service"), "version": field("version"), "address": _address,
            "weight": field("weight"), "zone": field("zone"), "health": field("health"), "labels": field("labels"),
            "drift": lambda row: text(list(cast("dict[str, object]", row.get("drift") or {}))),
        },
        selectable=True,
    ),
    "services": Listed(
        "service",
        {
            "name": field("name"), "protocol": field("protocol"), "stable": field("stable"),
            "split": lambda row: weights(row.get("split")), "instances": field("instances"), "owner": field("owner"),
        },
    ),
    "routes": Listed(
        "route",
        {
            "name": field("name"), "hosts": _hosts, "path": _path, "methods": field("methods"),
            "priority": field("priority"), "goes to": _goes_to, "owner": field("owner"),
        },
    ),
    "gateways": Listed(
        "gateway",
        {"name": field("name"), "listeners": _listeners, "hosts": _hosts, "owner": field("owner")},
    ),
    "rollouts": Listed(
        "rollout",
        {
            "id": field("id"), "service": field("service"), "version": field("version"), "weight": _percent,
            "state": field("state"), "acked": _gate, "reason": field("reason"),
        },
    ),
    "policies": Listed(
        "policy",
        {
            "name": field("name"), "selector": field("selector"), "priority": field("priority"), "says": _says,
            "services": field("services"), "owner": field("owner"),
        },
    ),
    "overlays": Listed(
        "overlay",
        {
            "id": field("id"), "act": field("act"), "on": _laid_on, "weight": field("weight"),
            "instances": field("instances"), "ends in": field("expires_in"), "owner": field("owner"),
            "reason": field("reason"),
        },
    ),
    "nodes": Listed("node", nodes.LISTED, removable=False),
    "agents": Listed(
        "agent",
        {
            "id": field("id"), "ip": field("ip"), "role": field("role"), "version": field("version"),
            "state": field("state"), "last seen": field("last_seen"), "lag": field("lag"),
        },
        in_env=False,
    ),
    "containers": Listed(
        "container",
        {
            "name": field("name"), "id": lambda row: str(row.get("id"))[:12], "agent": field("agent"),
            "service": field("service"), "version": field("version"), "address": field("address"),
            "standing": field("standing"), "why": field("why"),
        },
        in_env=False, removable=False,
    ),
    "breakers": Listed("breaker", BREAKERS, named="service", removable=False, by_name=False),
    "alarms": Listed(
        "alarm",
        {"priority": field("priority"), "kind": field("kind"), "object": field("object"), "since": field("since"),
         "message": field("message")},
        in_env=False, removable=False, by_name=False,
    ),
    "problems": Listed(
        "problem",
        {"severity": field("severity"), "kind": field("kind"), "object": field("object"),
         "field": field("pointer"), "message": field("message")},
        in_env=False, removable=False, by_name=False,
    ),
}  # fmt: skip


_ALL: Final = " or ".join((", ".join([*KINDS][:-1]), [*KINDS][-1]))


def kind_of(word: str) -> str:
    """Return the plural of a kind that was written in either number; Failed, with a suggestion, for another word."""
    for plural, listed in KINDS.items():
        if word in {plural, listed.one}:
            return plural
    import difflib

    near = difflib.get_close_matches(word, KINDS, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise Failed(f"{word!r} is not one of {', '.join(KINDS)}{hint}", Exit.INVALID)


def path_of(plural: str, name: str) -> str:
    """Return the URL path of one object; Failed for a name that can be none."""
    if not name or not set(name) <= (SAFE_OF_ENGINES if plural == "containers" else SAFE_IN_PATH):
        raise Failed(f"{name!r} is no name: use a-z, 0-9, '.', '_' and '-'", Exit.INVALID)
    return f"/v1/{plural}/{name}"


def get(
    ctx: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(help=f"{_ALL}."),
    ],
    name: Annotated[str, typer.Argument(help="One object; all of the kind without it.")] = "",
    selector: Annotated[
        str, typer.Option("-l", "--selector", help="Instances only, as in `version in (v1,v2),zone!=eu-1,!canary`.")
    ] = "",
    env: EnvOrAll = DEFAULT_ENV,
    output: Output = Format.TABLE,
) -> None:
    """List objects, or print one.

    `fairlead get instances -l version=v2`, `fairlead get rollouts`, `fairlead get nodes edge-1 -o json`.
    """
    plural = kind_of(kind)
    listed = KINDS[plural]
    if selector and not listed.selectable:
        raise Failed(f"{plural} cannot be selected by label: -l is for instances", Exit.INVALID)
    with connection(ctx).client() as client:
        if name and listed.by_name:
            rows = [client.get(path_of(plural, name), env=env if listed.in_env else None)]
        else:
            query = {"env": env if listed.in_env else None, "selector": selector}
            rows = list(client.items(f"/v1/{plural}", **query))
            rows = [row for row in rows if not name or row.get(listed.named) == name]
    if output is Format.JSON:
        print_json(rows[0] if name and listed.by_name else {"items": rows})
        return
    if name and plural == "nodes":
        nodes.print_node(rows[0])
        return
    print_table(listed.columns, rows, nothing=f"no {plural}" + (f" match {selector}" if selector else ""))


def delete(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="instance, service, route, gateway, rollout, policy, overlay or agent.")],
    name: Annotated[str, typer.Argument(help="Its name or id.")],
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
