"""`canary`: start and steer a rollout, by its id or its service's name, and wait until every Envoy has confirmed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xds.cli.completion import services
from xds.cli.connection import connection
from xds.cli.criteria import (
    P99,
    DataWait,
    ErrorDelta,
    MinRequests,
    NoRollback,
    SuccessRate,
    WithoutData,
    criteria,
)
from xds.cli.exits import EXITS_HELP, Exit, Failed, complain
from xds.cli.kinds import path_of
from xds.cli.objects import Env
from xds.cli.output import Format, Output, Row, print_json
from xds.cli.preview import Matches, Mirror, preview_of
from xds.cli.verdict import Wanted
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client

_PERCENT = re.compile(r"\d{1,3}(\.\d{1,2})?\Z")
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h|d))+\Z")

group = typer.Typer(
    no_args_is_help=True,
    help="""Move users to a new version, a step at a time.

    A weight is done when every live Envoy that holds the route has acknowledged it; a step that an Envoy refuses, or
    does not answer for 10 s, is blocked and the plan does not go on. With criteria it is judged by what Envoys report,
    too. Name a rollout by its id, or by its service.
    """,
    epilog=EXITS_HELP,
)

Name = Annotated[
    str, typer.Argument(metavar="SERVICE|ID", help="A service's name, or a rollout's id.", autocompletion=services)
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is confirmed; the exit code tells how it ended.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait: then exit 4.")]
Patience = Annotated[
    float, typer.Option("--patience", min=0, metavar="SECONDS", help="Blocked for so long is an answer: then exit 3.")
]
HOUR, PATIENCE = 3600.0, 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """What a command does once its request was accepted: print, or wait first. Times are seconds."""

    wanted: Wanted
    wait: bool
    timeout: float
    patience: float
    output: Format


@group.command()
def start(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="The service whose users move.", autocompletion=services)],
    version: Annotated[str, typer.Argument(help="The version they move to; it has instances already.")],
    steps: Annotated[
        str, typer.Option("--steps", metavar="LIST", help="Weights in percent, as in 5,25,50,100; none: set by hand.")
    ] = "",
    pause: Annotated[
        str,
        typer.Option(
            "--pause", metavar="TIME", help="How long each step is held once confirmed, else 30s; `ask` waits for you."
        ),
    ] = "",
    auto_promote: Annotated[
        bool, typer.Option("--auto-promote", help="Make the version stable after the last step, without asking.")
    ] = False,
    match: Matches = None,
    mirror: Mirror = "",
    min_requests: MinRequests = None,
    success_rate: SuccessRate = "",
    p99: P99 = "",
    error_delta: ErrorDelta = "",
    no_data: WithoutData = None,
    no_data_after: DataWait = "",
    no_rollback: NoRollback = False,
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Begin a rollout. Without --steps it starts at 0 % and waits for `set-weight`.

    `fairlead canary start web v2 --steps 5,25,50,100 --pause 30s --wait`. With criteria, as in `--min-requests 200
    --success-rate 99 --p99 500ms`, a step goes on only when it was good, and what is bad is taken back.
    """
    judged = criteria(min_requests, success_rate, p99, error_delta, no_data, no_data_after, no_rollback=no_rollback)
    body: dict[str, object] = {"service": service, "env": env, "version": version, "auto_promote": auto_promote}
    if preview := preview_of(match or (), percent(mirror or "0")):
        body["preview"] = preview
    if judged:
        body["analysis"] = judged
    if steps:
        held = _pause(pause or ("30s" if min_requests is None else "0s"))
        body["plan"] = [{"weight": percent(part), "pause": held} for part in steps.split(",")]
    with connection(ctx).client() as client:
        found = client.post("/v1/rollouts", body)
        _finish(client, found, Ending(Wanted.PLAN if steps else Wanted.LIVE, wait, timeout, patience, output))


@group.command("set-weight")
def set_weight(
    ctx: typer.Context,
    name: Name,
    weight: Annotated[str, typer.Argument(help="The new version's share in percent, at most two decimals.")],
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Take over from the plan and set a weight by hand; the plan waits until `resume`."""
    body = {"weight": percent(weight)}
    _act(ctx, name, env, "set-weight", body, Ending(Wanted.LIVE, wait, timeout, patience, output))


@group.command()
def pause(ctx: typer.Context, name: Name, env: Env = DEFAULT_ENV, output: Output = Format.TABLE) -> None:
    """Stop the plan where it is; the present weight stays."""
    _act(ctx, name, env, "pause", {}, Ending(Wanted.LIVE, False, 0, 0, output))


@group.command()
def resume(
    ctx: typer.Context,
    name: Name,
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Let the plan go on."""
    _act(ctx, name, env, "resume", {}, Ending(Wanted.PLAN, wait, timeout, patience, output))


@group.command()
def promote(
    ctx: typer.Context,
    name: Name,
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Give every user to the new version; it is the stable one once every live Envoy has confirmed."""
    _act(ctx, name, env, "promote", {}, Ending(Wanted.PROMOTED, wait, timeout, patience, output))


@group.command()
def abort(
    ctx: typer.Context,
    name: Name,
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Return every user to the stable version. Legal in every state, and twice."""
    _act(ctx, name, env, "abort", {}, Ending(Wanted.ABORTED, wait, timeout, patience, output))


@group.command()
def status(
    ctx: typer.Context,
    name: Name,
    env: Env = DEFAULT_ENV,
    wait: Wait = False,
    timeout: Timeout = HOUR,
    patience: Patience = PATIENCE,
    output: Output = Format.TABLE,
) -> None:
    """Show a rollout and what each Envoy has confirmed.

    With --wait, follow it until it is over, blocked, or waits for somebody.
    """
    with connection(ctx).client() as client:
        _finish(client, find(client, name, env), Ending(Wanted.OVER, wait, timeout, patience, output))


def find(client: Client, name: str, env: str) -> Row:
    """Return the rollout with this id, or the one in progress of this service, or its latest."""
    from xds.cli.client import Refused

    try:
        return client.get(path_of("rollouts", name))
    except Refused as error:
        if error.status != 404:
            raise
    known = list(client.items("/v1/rollouts", service=name, env=env))
    if not known:
        words = (
            f"no rollout has the id {name!r}, and no service {env}/{name} has one: `fairlead canary start` begins one"
        )
        raise Failed(words, Exit.REFUSED)
    active = [row for row in known if row.get("phase") not in {"succeeded", "aborted"}]
    return max(active or known, key=lambda row: cast("int", row.get("revision") or 0))


def percent(text: str) -> float | int:
    """Return a weight as the API takes it; Failed (2) for what is no percentage with at most two decimals."""
    trimmed = text.strip().removesuffix("%").strip()
    if not _PERCENT.match(trimmed) or float(trimmed) > 100:
        raise Failed(
            f"{text!r} is no weight: percent from 0 to 100 with at most two decimals, as in 5 or 12.5", Exit.INVALID
        )
    return float(trimmed) if "." in trimmed else int(trimmed)


def _pause(text: str) -> str | None:
    if text == "ask":
        return None
    if not _DURATION.match(text):
        raise Failed(f"--pause {text!r} is no time: as in 30s, 5m, 500ms, or `ask`", Exit.INVALID)
    return text


def _act(ctx: typer.Context, name: str, env: str, verb: str, body: Mapping[str, object], ending: Ending) -> None:
    with connection(ctx).client() as client:
        found = client.post(f"{path_of('rollouts', str(find(client, name, env)['id']))}:{verb}", body)
        _finish(client, found, ending)


def _finish(client: Client, found: Row, ending: Ending) -> None:
    """Print the rollout; where the caller waits, follow it first and end with the verdict's exit code."""
    from xds.cli.watching import follow, print_status

    as_json = ending.output is Format.JSON
    if not ending.wait:
        print_json(found) if as_json else print_status(found)
        return
    found, ended = follow(client, found, ending.wanted, timeout=ending.timeout, patience=ending.patience, quiet=as_json)
    if as_json:
        print_json({**found, "exit": int(ended.exit), "verdict": ended.words})
    elif ended.exit is Exit.DONE:
        typer.echo(ended.words)
    if ended.exit is not Exit.DONE:
        complain(ended.words)
        raise typer.Exit(ended.exit)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(group, name="canary")
