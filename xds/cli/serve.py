"""`serve`: the control plane in this process. Settings are read here; `xds.app` makes everything out of them."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.connection import Connection
from xds.cli.exits import Exit
from xds.cli.logs import log_to_stderr
from xds.cli.output import Format
from xds.model.problems import FairleadError

if TYPE_CHECKING:
    from xds.app import Serving
    from xds.config import Settings

Docker = Annotated[
    bool, typer.Option("--docker", envvar="FAIRLEAD_DOCKER", help="Be this host's agent, too: see `fairlead agent`.")
]
Config = Annotated[
    str, typer.Option("--config", envvar="FAIRLEAD_CONFIG", metavar="FILE", help="Settings; see `fairlead config`.")
]
Overlay = Annotated[
    str,
    typer.Option("--env", envvar="FAIRLEAD_CONFIG_ENV", metavar="NAME", help="Lay FILE's overlay for NAME over it."),
]
Filter = Annotated[
    str, typer.Option("--filter", metavar="PATH|none", help="The health filter.", show_default="the built-in one")
]
FilterConfig = Annotated[
    str, typer.Option("--filter-config", metavar="PATH", help="JSON file with the filter's global defaults.")
]
Output = Annotated[
    Format, typer.Option("-o", "--output", help="How to print the one line of addresses, once everything is served.")
]


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
    filter_path: Filter = "",
    filter_config: FilterConfig = "",
    docker: Docker = False,
    config: Config = "",
    env: Overlay = "",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.", show_default="info")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Run the control plane: the API for people, ADS for Envoys, one store for both.

    Every flag can be a variable, FAIRLEAD_DATA_DIR and so on, or stand in a file (docs/configuration.md). Loopback
    needs no token; anything else does.
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
    variables, section = _configured(config, env)
    settings = Settings.read(variables, flags)
    agent = _agent(settings, section) if docker or variables.get("FAIRLEAD_DOCKER") == "true" else None
    log_to_stderr(settings.log_level)
    gc.disable()  # what is loaded now stays; walking it again and again took a fifth of the start
    run = importlib.import_module("xds.app").run
    try:
        run(settings, lambda serving: _say(serving.api, serving.ads, output), agent)
    except* FairleadError as several:
        raise _first(several) from None
    except* KeyboardInterrupt:
        raise typer.Exit(Exit.DONE) from None


def _configured(file: str, overlay: str) -> tuple[Mapping[str, str], Mapping[str, object]]:
    """Return the environment with what a file says beneath it, and the file's section for the agent."""
    if not file and not overlay:
        return os.environ, {}  # who has no file does not wait for its reader
    from xds.cli.config.settings import configured

    told = configured(file, overlay, os.environ)
    return told.variables(os.environ), told.agent


def _agent(settings: Settings, section: Mapping[str, object]) -> Callable[[Serving], Coroutine[None, None, None]]:
    """Return this host's agent, told by a file's section and FAIRLEAD_AGENT_* and DOCKER_*.

    It makes the requests that any agent makes, of the API in this process, so that no socket takes their time.
    """
    import asyncio
    import logging

    import httpx

    from xds.agent.run import Agent
    from xds.agent.settings import AgentSettings

    told = AgentSettings.read(os.environ, {"data_dir": settings.data_dir / "agent", "central_checks": True, **section})
    _ = told.endpoints  # said now if they cannot be used

    async def beside(serving: Serving) -> None:
        url = serving.api.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        while True:
            way = httpx.ASGITransport(serving.application, raise_app_exceptions=False)
            try:
                await Agent(told, url, settings.token, way=way).run()
            except* Exception:  # whatever befalls the agent, Envoys go on being served
                logging.getLogger(__name__).exception("the agent begins anew in a second")
            await asyncio.sleep(1.0)

    return beside


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
