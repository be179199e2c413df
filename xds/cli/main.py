"""The command `fairlead`: its global options and its list of commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from typer.core import TyperGroup

from xds.cli import (
    agent,
    apply,
    breaker,
    canary,
    completion,
    diff,
    envoy,
    explain,
    extproc,
    guard,
    hold,
    importing,
    journal,
    objects,
    overlay,
    plan,
    register,
    serve,
    simulate,
    store,
    traffic,
    watch,
)
from xds.cli import filter as filters
from xds.cli.config import command as config
from xds.cli.connection import DEFAULT_SERVER, Connection
from xds.cli.demo import command as demo
from xds.cli.doctor import command as doctor
from xds.cli.exits import EXITS_HELP, reported
from xds.cli.lint import command as lint


class Commands(TyperGroup):
    """Runs a command and turns what went wrong into words and an exit code."""

    def invoke(self, ctx: object) -> object:
        """Run the command named on the command line."""
        with reported():
            return super().invoke(ctx)  # type: ignore[arg-type]  # typer's own context class is private to it


app = typer.Typer(
    name="fairlead",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,  # `fairlead completion` says the same in a command of its own
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXITS_HELP,
)


@app.callback()
def options(
    ctx: typer.Context,
    server: Annotated[
        str, typer.Option("--server", envvar="FAIRLEAD_SERVER", metavar="URL", help="Where the control plane's API is.")
    ] = DEFAULT_SERVER,
    token_file: Annotated[
        str,
        typer.Option(
            "--token-file",
            envvar="FAIRLEAD_TOKEN_FILE",
            metavar="PATH",
            help="File with the token for API and ADS; FAIRLEAD_TOKEN holds the token itself.",
        ),
    ] = "",
) -> None:
    """Move users from one version of a service to the next, on Envoys that confirm each step.

    A first canary: `fairlead serve`, `fairlead envoy --role gateway --gateway edge`, `fairlead apply -f web.yaml`,
    `fairlead canary start web v2 --steps 5,25,50,100 --pause 30s --wait`.
    """
    ctx.obj = Connection(server.rstrip("/"), token_file)


@app.command()
def version(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Print the version of Fairlead, and of the Envoy it would start."""
    from importlib import metadata

    from xds.cli.binary import about_envoy

    ours, envoys = metadata.version("fairlead"), about_envoy()
    if as_json:
        import json

        typer.echo(json.dumps({"fairlead": ours, "envoy": envoys}))
    else:
        typer.echo(f"fairlead {ours}\nenvoy {envoys or 'not found'}")


serve.add_to(app)
agent.add_to(app)
envoy.add_to(app)
extproc.add_to(app)
register.add_to(app)
apply.add_to(app)
plan.add_to(app)
diff.add_to(app)
lint.add_to(app)
importing.add_to(app)
objects.add_to(app)
watch.add_to(app)
explain.add_to(app)
traffic.add_to(app)
canary.add_to(app)
overlay.add_to(app)
breaker.add_to(app)
guard.add_to(app)
hold.add_to(app)
journal.add_to(app)
store.add_to(app)
completion.add_to(app)
config.add_to(app)
doctor.add_to(app)
simulate.add_to(app)
filters.add_to(app)
demo.add_to(app)


def main() -> None:
    """Run the command line; the entry point of the `fairlead` command."""
    completion.prepare(os.environ)
    app()
