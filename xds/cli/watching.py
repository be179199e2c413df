"""Following a rollout until it ends one way or the other: a live screen on a terminal, a line per change elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import typer

from xds.cli.exits import Exit, Failed
from xds.cli.output import Cell, Row, field, table, text, weights
from xds.cli.preview import preview_words
from xds.cli.verdict import Rollout, Verdict, Wanted, judged, line, verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

    from xds.cli.client import Client

POLL_S: Final = 5.0
RETRY_S: Final = 0.5

Show = Callable[[Rollout], None]

NODES: Final[dict[str, Cell]] = {
    "envoy": field("node"), "state": field("state"), "wanted": lambda row: weights(row.get("wanted")),
    "acked": lambda row: weights(row.get("acked")), "says": field("message"),
}  # fmt: skip


def follow(
    client: Client, rollout: Rollout, wanted: Wanted, *, timeout: float, patience: float, quiet: bool
) -> tuple[Rollout, Verdict]:
    """Wait for what is wanted and return the last document with the verdict; `timeout` and `patience` in seconds.

    A control plane that is away for a while is waited for: Envoys keep what they have, and so does the rollout.
    """
    deadline = time.monotonic() + timeout
    blocked_since: float | None = None
    with _screen(quiet) as show:
        while True:
            now = time.monotonic()
            blocked_since = (blocked_since or now) if rollout.get("state") == "blocked" else None
            show(rollout)
            blocked_for = now - blocked_since if blocked_since is not None else 0.0
            if found := verdict(rollout, wanted, blocked_for=blocked_for, patience=patience):
                return rollout, found
            if now >= deadline:
                return rollout, Verdict(Exit.LATE, f"not there after {timeout:g} s: {line(rollout)}")
            wait = min(POLL_S, deadline - now, max(0.05, patience - blocked_for) if blocked_since else POLL_S)
            rollout = _next(client, rollout, wait)


def _next(client: Client, rollout: Rollout, wait: float) -> Rollout:
    from xds.cli.client import Refused

    try:
        return client.poll(f"/v1/rollouts/{rollout['id']}", wait=rollout.get("change"), timeout=round(wait, 3))
    except Refused as error:
        if error.status < 500:
            raise
    except Failed:
        pass  # the control plane restarts; the deadline bounds the patience
    time.sleep(min(RETRY_S, wait))
    # The counter of changes begins anew with the process: the next question must not wait for the old one's.
    return {**rollout, "change": None}


@contextmanager
def _screen(quiet: bool) -> Iterator[Show]:
    """Return how to show a rollout: not at all, on a live screen, or a line whenever what is shown has changed."""
    if quiet:
        yield lambda _: None
    elif sys.stdout.isatty():
        from rich.live import Live

        with Live(refresh_per_second=8, transient=False) as live:
            yield lambda rollout: live.update(picture(rollout))
    else:
        last = ""

        def say(rollout: Rollout) -> None:
            nonlocal last
            if (now := line(rollout)) != last:
                typer.echo(now)
                last = now

        yield say


def picture(rollout: Rollout) -> RenderableType:
    """Return the live screen: the share as a bar, the plan with its present step, and every Envoy."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(line(rollout)),
        ProgressBar(100, float(cast("float", rollout["weight"])), width=50),
    ]
    plan = cast("list[Row]", rollout.get("plan") or [])
    if plan:
        at = cast("int", rollout.get("step"))
        steps = [f"[{step['weight']} %]" if here == at else f"{step['weight']} %" for here, step in enumerate(plan)]
        parts.append(Text("plan  " + " → ".join(steps)))
    parts += [Text(words) for words in preview_words(rollout)]
    parts += [Text(words) for words in judged(rollout)]
    nodes = cast("list[Row]", cast("Row", rollout.get("gate") or {}).get("nodes") or [])
    parts.append(table(NODES, nodes) if nodes else Text("no live Envoy holds a route of the service", style="yellow"))
    return Group(*parts)


def print_status(rollout: Rollout) -> None:
    """Print a rollout once, with what each Envoy acknowledged."""
    from xds.cli.output import console_print

    typer.echo(line(rollout))
    plan = cast("list[Row]", rollout.get("plan") or [])
    if plan:
        typer.echo("plan  " + " → ".join(f"{step['weight']} % {text(step.get('pause'))}" for step in plan))
    for words in (*preview_words(rollout), *judged(rollout)):
        typer.echo(words)
    nodes = cast("list[Row]", cast("Row", rollout.get("gate") or {}).get("nodes") or [])
    if nodes:
        console_print(table(NODES, nodes))
