"""`serve`: the control plane in this process. Settings are read here; `xds.app` makes everything out of them."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from typing import Annotated

import typer

from xds.cli.connection import Connection
from xds.cli.exits import Exit
from xds.cli.logs import log_to_stderr
from xds.cli.output import Format
from xds.model.problems import FairleadError


def serve(
    ctx: typer.Context,
    data_dir: Annotated[
        str, typer.Option(metavar="DIR", help="Where it keeps its store.", show_default="fairlead-data")
    ] = "",
    api: Annotated[
        str, typer.Option(metavar="ADDR:PORT", help="Where the API listens.", show_default="127.0.0.1:15080")
    ] = "",
    ads: Annotated[
        str, typer.Option(metavar="ADDR:PORT", help="Where Envoys connect.", show_default="127.0.0.1:15010")
    ] = "",
    token_file: Annotated[
        str, typer.Option("--token-file", metavar="PATH", help="The token that API and ADS demand from then on.")
    ] = "",
    insecure_non_loopback: Annotated[
        bool, typer.Option("--insecure-non-loopback", help="Listen beyond loopback without a token: anybody may steer.")
    ] = False,
    filter_path: Annotated[
        str,
        typer.Option("--filter", metavar="PATH|none", help="The health filter.", show_default="the built-in one"),
    ] = "",
    filter_config: Annotated[
        str, typer.Option("--filter-config", metavar="PATH", help="JSON file with the filter's global defaults.")
    ] = "",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.", show_default="info")] = "",
    output: Annotated[
        Format,
        typer.Option("-o", "--output", help="How to print the one line of addresses, once everything is served."),
    ] = Format.TABLE,
) -> None:
    """Run the control plane: the API for people, ADS for Envoys, one store for both.

    Every flag can be an environment variable, FAIRLEAD_DATA_DIR and so on. Loopback needs no token; anything else does.
    What Envoys may ask of it is limited: FAIRLEAD_ADS_MAX_STREAMS and its like set other limits (docs/limits.md).
    SIGHUP reads the filter and its configuration again; SIGTERM ends it, and its state is in DIR for the next time.
    """
    from xds.config import Settings

    known = ctx.find_object(Connection)
    flags: dict[str, str | bool | None] = {
        "data_dir": data_dir,
        "api": api,
        "ads": ads,
        "token_file": token_file or (known.token_file if isinstance(known, Connection) else ""),
        "insecure_non_loopback": insecure_non_loopback,
        "filter": filter_path,
        "filter_config": filter_config,
        "log_level": log_level,
    }
    settings = Settings.read(os.environ, flags)
    log_to_stderr(settings.log_level)
    gc.disable()  # what is loaded now stays; walking it again and again took a fifth of the start
    run = importlib.import_module("xds.app").run
    try:
        run(settings, lambda serving: _say(serving.api, serving.ads, output))
    except* FairleadError as several:
        raise _first(several) from None
    except* KeyboardInterrupt:
        raise typer.Exit(Exit.DONE) from None


def _say(api: str, ads: str, output: Format) -> None:
    """Print where the control plane can be reached, once it can."""
    if output is Format.JSON:
        typer.echo(json.dumps({"api": api, "ads": ads, "pid": os.getpid()}))
    else:
        typer.echo(f"fairlead serves  api {api}  ads {ads}")
    sys.stdout.flush()  # whoever reads a pipe waits for this line


def _first(several: BaseExceptionGroup[FairleadError]) -> FairleadError:
    """Return the first error of a group, however deep: the others follow from it."""
    for error in several.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError  # a group is never empty


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(serve)
