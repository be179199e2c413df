"""`agent`: the program on a host that follows its container engine and tells the control plane what runs there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.logs import log_to_stderr

Texts = list[str] | None
SIGN_OF_LIFE_S = 20.0


def agent(
    ctx: typer.Context,
    config: Annotated[
        str, typer.Option(envvar="FAIRLEAD_AGENT_CONFIG", metavar="PATH", help="YAML file with these settings.")
    ] = "",
    docker: Annotated[
        Texts,
        typer.Option(metavar="URL", help="An engine: unix:///PATH or tcp://HOST:PORT. Else DOCKER_HOST. Repeatable."),
    ] = None,
    certificates: Annotated[
        str | None, typer.Option(metavar="DIR", help="ca.pem, cert.pem, key.pem for TLS. Else DOCKER_CERT_PATH.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="Its name; the host's, if none is given.")] = None,  # noqa: A002 - the option's name
    address: Annotated[str | None, typer.Option(help="This host's address, as Envoys know it. Else 127.0.0.1.")] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Envoys are on other hosts: only published ports reach containers.")
    ] = False,
    network: Annotated[Texts, typer.Option(help="A network that Envoys share; it goes first. Repeatable.")] = None,
    env: Annotated[Texts, typer.Option(help="An environment that labels may claim; else any. Repeatable.")] = None,
    service: Annotated[Texts, typer.Option(help="A service that labels may claim; else any. Repeatable.")] = None,
    region: Annotated[str | None, typer.Option(help="Of instances whose labels name none.")] = None,
    zone: Annotated[str | None, typer.Option(help="Of instances whose labels name none.")] = None,
    ttl: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long its silence is borne. Else 15.")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where it keeps its book.", show_default="fairlead-agent")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    status: Annotated[
        bool, typer.Option("--status", help="Print how the agent in DIR stands; exit 0 if well.")
    ] = False,
) -> None:
    """Follow a Docker Engine and register the containers whose labels ask for it: `fairlead agent`.

    It reads the engine and never changes it. A container is registered at the address that answers, once it is ready; a
    stop takes it out before it ends. While the control plane is away, what there is to tell is kept on disk. SIGHUP
    reads the configuration again. Labels are in docs/labels.md, the rest in docs/docker.md.
    """
    from xds.agent.settings import AgentSettings

    flags: dict[str, object] = {
        "docker": docker or None,
        "certificates": certificates,
        "id": id,
        "address": address,
        "remote": remote or None,
        "networks": network or None,
        "envs": env or None,
        "services": service or None,
        "region": region,
        "zone": zone,
        "ttl": ttl,
        "data_dir": data_dir,
    }
    file = Path(config) if config else None

    def read() -> AgentSettings:
        return AgentSettings.read(os.environ, flags, file)

    settings = read()
    if status:
        _show(settings.data_dir / "status.json")
        return
    if log_level not in {"debug", "info", "warning", "error"}:
        raise Failed(f"{log_level!r} is not debug, info, warning or error", Exit.INVALID)
    _ = settings.endpoints  # said now if they cannot be used
    log_to_stderr(log_level)
    known = connection(ctx)

    from xds.agent.service import serve

    serve(settings, known.server, known.token, read, file)


def _show(path: Path) -> None:
    """Print the status that a running agent keeps; Failed where none does, exit code 1 where it is not well."""
    from xds.control.clock import SystemClock

    try:
        age = SystemClock().wall().timestamp() - path.stat().st_mtime
        text = path.read_text(encoding="utf-8")
        well = json.loads(text)["ready"] is True
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"no agent keeps its status in {path}: {error}") from None
    typer.echo(text.rstrip())
    if age > SIGN_OF_LIFE_S:
        raise Failed(f"the agent does not run: this is {age:.0f} s old")
    if not well:
        raise typer.Exit(Exit.REFUSED)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(agent)
