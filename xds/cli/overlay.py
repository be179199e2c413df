"""`drain`, `weight`, `pin`, `undo`: what an operator lays over declarations for a time, and takes back."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.completion import overlays, services
from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.kinds import path_of
from xds.cli.objects import Env
from xds.cli.output import Row, text
from xds.model.names import DEFAULT_ENV

Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="An instance's id, or SERVICE/VERSION for all instances of a version.")
]
Selected = Annotated[
    str, typer.Option("-l", "--selector", help="Only instances that match, as in `zone=eu-1`; needs no TARGET.")
]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="How long, as in 30m; without it, until `undo`.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is shown, and goes into the journal.")]
Id = Annotated[str, typer.Option("--id", metavar="ID", help="How to call it; otherwise by act and target.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also where nobody would be left to serve users, or nothing matches yet.")
]


def drain(
    ctx: typer.Context,
    target: Target = "",
    selector: Selected = "",
    lasts: For = "",
    reason: Reason = "",
    name: Id = "",
    force: Force = False,
    env: Env = DEFAULT_ENV,
) -> None:
    """Take instances out of traffic; what is in flight ends. They stay out however often they register again.

    `fairlead drain web-1 --for 30m --reason "new disk"`, `fairlead drain web/v2`, `fairlead drain -l zone=eu-1`.
    """
    _lay(ctx, _picked(target, selector), {"act": "drain", "reason": reason, "expires_in": lasts}, name, env, force)


def weight(
    ctx: typer.Context,
    to: Annotated[
        int,
        typer.Option("--to", metavar="N", help="From 0 to 10000, relative to the others of its version; 100 is usual."),
    ],
    target: Target = "",
    selector: Selected = "",
    lasts: For = "",
    reason: Reason = "",
    name: Id = "",
    force: Force = False,
    env: Env = DEFAULT_ENV,
) -> None:
    """Give instances another weight than they registered with. `fairlead weight web-1 --to 20 --for 1h`."""
    said: dict[str, object] = {"act": "weight", "weight": to, "reason": reason, "expires_in": lasts}
    _lay(ctx, _picked(target, selector), said, name, env, force)


def pin(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="The service's name.", autocompletion=services)],
    version: Annotated[str, typer.Argument(help="Where all of its users go.")],
    lasts: For = "",
    reason: Reason = "",
    name: Id = "",
    force: Force = False,
    env: Env = DEFAULT_ENV,
) -> None:
    """Send all users of a service to one version. Its split stays as it is beneath, and its rollout waits.

    `fairlead pin web v1 --for 1h --reason "incident 4711"`. Routes with a split or subset of their own are not pinned.
    """
    picked: dict[str, object] = {"service": service, "version": version}
    _lay(ctx, picked, {"act": "pin", "reason": reason, "expires_in": lasts}, name or f"pin-{service}", env, force)


def undo(
    ctx: typer.Context,
    overlay: Annotated[
        str, typer.Argument(help="Its id, as `fairlead get overlays` shows it.", autocompletion=overlays)
    ],
) -> None:
    """Take an overlay back: what is declared holds again."""
    with connection(ctx).client() as client:
        client.delete(path_of("overlays", overlay))
    typer.echo(f"overlay {overlay} undone")


def _picked(target: str, selector: str) -> dict[str, object]:
    """Return the fields of a document that say which instances."""
    if not target and not selector:
        raise Failed("name a TARGET or a selector: nothing says which instances", Exit.INVALID)
    service, slash, version = target.partition("/")
    named = {"service": service, "version": version} if slash else {"instance": target}
    return {field: value for field, value in {**named, "selector": selector}.items() if value}


def _lay(
    ctx: typer.Context, picked: dict[str, object], said: dict[str, object], name: str, env: str, force: bool
) -> None:
    body = {**picked, **{field: value for field, value in said.items() if value != ""}}
    overlay = name or _name(str(said["act"]), picked)
    with connection(ctx).client() as client:
        query = {"env": env, "force": "true" if force else None}
        found = client.request("PUT", path_of("overlays", overlay), body=body, query=query)
    typer.echo(_told(found))


def _name(act: str, picked: dict[str, object]) -> str:
    """Return an id that the same words give again, so that to say it again renews it."""
    words = [str(value) for value in picked.values()]
    return "-".join([act, *("".join(c if c.isalnum() or c in "._-" else "-" for c in word.lower()) for word in words)])


def _told(found: Row) -> str:
    whom = f"{found['service']} {found['version']}" if found.get("service") else text(found.get("selector"))
    left = text(found.get("expires_in"))
    lasts = "until it is undone" if left == "-" else f"for {left}"
    picked = f"{found['instances']} instance{'' if found['instances'] == 1 else 's'}"
    return f"overlay {found['id']}: {found['act']} {whom}, {picked} now, {lasts}"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (drain, weight, pin, undo):
        app.command()(command)
