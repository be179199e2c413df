"""`agent`: the program on a host that follows its container engine and tells the control plane what runs there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from xds.cli.connection import Connection, connection
from xds.cli.exits import Exit, Failed
from xds.cli.logs import log_to_stderr

Texts = list[str] | None
SIGN_OF_LIFE_S = 20.0

Config = Annotated[
    str, typer.Option(envvar="FAIRLEAD_AGENT_CONFIG", metavar="PATH", help="YAML file with these settings.")
]
Overlay = Annotated[
    str,
    typer.Option(
        envvar="FAIRLEAD_AGENT_CONFIG_ENV", metavar="NAME", help="Lay the overlay for NAME over it: FILE.NAME.yaml."
    ),
]
Docker = Annotated[
    Texts, typer.Option(metavar="URL", help="An engine: unix:///PATH or tcp://HOST:PORT. Else DOCKER_HOST. Repeatable.")
]
Certificates = Annotated[
    str | None, typer.Option(metavar="DIR", help="ca.pem, cert.pem, key.pem for TLS. Else DOCKER_CERT_PATH.")
]
Name = Annotated[str | None, typer.Option(help="Its name; the host's, if none is given.")]
Host = Annotated[str | None, typer.Option(help="This host's address, as Envoys know it. Else 127.0.0.1.")]
Remote = Annotated[bool, typer.Option("--remote", help="Envoys are on other hosts: only published ports reach them.")]
Networks = Annotated[Texts, typer.Option(help="A network that Envoys share; it goes first. Repeatable.")]
Envs = Annotated[Texts, typer.Option(help="An environment that labels may claim; else any. Repeatable.")]
Services = Annotated[Texts, typer.Option(help="A service that labels may claim; else any. Repeatable.")]
Dialects = Annotated[Texts, typer.Option(help="Read labels of another tool, too: traefik or registrator. Repeatable.")]
Place = Annotated[str | None, typer.Option(help="Of instances whose labels name none.")]
Ttl = Annotated[float | None, typer.Option(metavar="SECONDS", help="How long its silence is borne. Else 15.")]
CentralChecks = Annotated[
    bool, typer.Option("--central-checks", help="The control plane goes on checking; it reaches the containers, then.")
]
DataDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where it keeps its book. Else fairlead-agent.")]
Status = Annotated[bool, typer.Option("--status", help="Print how the agent in DIR stands; exit code 0 if well.")]


def agent(
    ctx: typer.Context,
    config: Config = "",
    config_env: Overlay = "",
    docker: Docker = None,
    certificates: Certificates = None,
    id: Name = None,  # noqa: A002 - the option's name
    address: Host = None,
    remote: Remote = False,
    network: Networks = None,
    env: Envs = None,
    service: Services = None,
    dialect: Dialects = None,
    region: Place = None,
    zone: Place = None,
    ttl: Ttl = None,
    central_checks: CentralChecks = False,
    data_dir: DataDir = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    status: Status = False,
) -> None:
    """Follow a Docker Engine and register the containers whose labels ask for it: `fairlead agent`.

    It reads the engine and never changes it. A container is registered at the address that answers, once it is ready; a
    stop takes it out before it ends. While the control plane is away, what there is to tell is kept on disk. SIGHUP
    reads the configuration again. Labels are in docs/labels.md, the rest in docs/docker.md.
    """
    said = {"certificates": certificates, "id": id, "address": address, "region": region, "zone": zone, "ttl": ttl}
    lists = {"docker": docker, "networks": network, "envs": env, "services": service, "dialects": dialect}
    flags: dict[str, object] = {**said, **{name: value or None for name, value in lists.items()}}
    flags |= {"remote": remote or None, "central_checks": central_checks or None, "data_dir": data_dir}
    if config_env and not config:
        raise Failed("--config-env lays an overlay over a file: name that with --config", Exit.INVALID)
    file = Path(config) if config else None
    _run(connection(ctx), flags, file, config_env, log_level, status)


def _run(
    known: Connection, flags: Mapping[str, object], file: Path | None, overlay: str, log_level: str, status: bool
) -> None:
    if status and (folder := flags["data_dir"]):  # a health check asks often, and need not know what settings are
        _show(Path(str(folder)))
        return

    from xds.agent.settings import AgentSettings
    from xds.cli.config.file import overlay_of
    from xds.cli.config.settings import configured_agent

    files = [] if file is None else [file, *([overlay_of(file, overlay)] if overlay else [])]

    def read() -> AgentSettings:
        said = {} if file is None else configured_agent(file, overlay, os.environ)
        return AgentSettings.read(os.environ, flags, said)

    settings = read()
    if status:
        _show(settings.data_dir)
        return
    if log_level not in {"debug", "info", "warning", "error"}:
        raise Failed(f"{log_level!r} is not debug, info, warning or error", Exit.INVALID)
    settings.check()
    log_to_stderr(log_level)

    from xds.agent.service import serve

    serve(settings, known.server, known.token, read, files)


def _show(folder: Path) -> None:
    """Print the status that a running agent keeps; Failed where none does, exit code 1 where it is not well."""
    from xds.control.clock import SystemClock

    path = folder / "status.json"
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
