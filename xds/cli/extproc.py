"""`extproc`: the filter outside of Envoy, for Envoys that cannot run WebAssembly."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from xds.cli.connection import Connection
from xds.cli.logs import log_to_stderr
from xds.cli.output import Format


def extproc(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(metavar="ADDR:PORT", help="Where Envoys connect.")] = "127.0.0.1:15090",
    filter_path: Annotated[
        str, typer.Option("--filter", metavar="PATH", help="The health filter.", show_default="the built-in one")
    ] = "",
    filter_config: Annotated[
        str, typer.Option("--filter-config", metavar="PATH", help="JSON file with the filter's global defaults.")
    ] = "",
    max_streams: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests under way at most.")] = 10_000,
    max_message: Annotated[int, typer.Option(min=1024, max=1 << 26, help="Bytes of one message at most.")] = 1 << 20,
    deadline: Annotated[float, typer.Option(min=1.0, max=86_400.0, help="Seconds one request may take.")] = 3_600.0,
    drain: Annotated[float, typer.Option(min=0.0, max=600.0, help="Seconds for requests to end at SIGTERM.")] = 10.0,
    insecure_non_loopback: Annotated[
        bool, typer.Option("--insecure-non-loopback", help="Listen beyond loopback without a token.")
    ] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    output: Annotated[
        Format, typer.Option("-o", "--output", help="How to print the one line of the address, once it is served.")
    ] = Format.TABLE,
) -> None:
    """Run the health filter as an External Processing server: the same decisions for Envoys without Wasm.

    The filter is tried before anything is served. Envoy's configuration for it is in docs/extproc.md; it should say
    failure_mode_allow, so that traffic goes on, at random, when this program is gone. SIGTERM drains.
    """
    from xds.config import built_in_filter, is_loopback, read_bind, read_token
    from xds.extproc.serving import Options, run
    from xds.extproc.settings import Bounds
    from xds.model.problems import InvalidInput

    known = ctx.find_object(Connection)
    token = read_token(os.environ, known.token_file if isinstance(known, Connection) else "")
    address = read_bind(listen, pointer="/listen")
    if not (token or insecure_non_loopback or is_loopback(address.host)):
        raise InvalidInput(
            f"{address} would be open to anybody: give a token, listen on 127.0.0.1, or say --insecure-non-loopback",
            pointer="/listen",
            code="insecure",
        )
    if log_level not in {"debug", "info", "warning", "error"}:
        raise InvalidInput(f"{log_level!r} is not debug, info, warning or error", pointer="/log_level")
    log_to_stderr(log_level)
    run(
        Options(
            address,
            Path(filter_path) if filter_path else built_in_filter(),
            Path(filter_config) if filter_config else None,
            token,
            Bounds(max_streams=max_streams, max_message=max_message, deadline=deadline, drain=drain),
        ),
        lambda at: _say(at, output),
    )


def _say(at: str, output: Format) -> None:
    """Print where it can be reached, once it can."""
    if output is Format.JSON:
        typer.echo(json.dumps({"extproc": at, "pid": os.getpid()}))
    else:
        typer.echo(f"fairlead processes  extproc {at}")
    sys.stdout.flush()  # whoever reads a pipe waits for this line


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(extproc)
