"""The command `fairlead demo`: its options. Everything else is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.exits import Exit, Failed

MOST_USERS = 8_000  # each step waits until all of them have come back
# Drawn users are a sample: at 4,000 their share may differ from the weight by 2 points. This seed draws a fair one, so
# that the screen shows what people expect to read; any other has to hold just as well, user by user.
SEED = 5


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print the addresses.")] = False,
    users: Annotated[
        int, typer.Option("--users", min=100, max=MOST_USERS, help="How many users come back again and again.")
    ] = 4_000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other users.")] = SEED,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a live screen.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours on the screen.")] = False,
    broken: Annotated[
        str,
        typer.Option("--break", metavar="VERSION", help="v1 or v2 answers 500: see what a failure looks like."),
    ] = "",
) -> None:
    """Watch real Envoys move users from v1 to v2, step by step.

    Starts a control plane, a gateway, two versions of a small service with a sidecar each, and returning users. Aborts
    one canary, promotes another, stops the old version. Exit code 0 only if every step was acknowledged by every
    Envoy, every user was where the split says, nobody went back and no request failed.
    """
    if broken not in {"", "v1", "v2"}:
        raise Failed(f"--break: {broken!r} is neither v1 nor v2", Exit.INVALID)
    from xds.cli.demo.runner import Options, run

    options = Options(keep=keep, users=users, seed=seed, color=not no_color, plain=plain, broken=broken)
    raise typer.Exit(run(options))


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(demo)
