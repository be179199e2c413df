"""The command `doctor`: its options, the order of its examinations, and its exit code."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from xds.cli.connection import Connection, connection
from xds.cli.exits import Exit
from xds.cli.output import print_json
from xds.model.instance import Address
from xds.model.problems import InvalidInput

if TYPE_CHECKING:
    from xds.cli.doctor.finding import Finding

ADMIN: Final = "127.0.0.1:15000"
WIDTH: Final = 14
SIGNS: Final = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}


class DoctorFormat(StrEnum):
    """How to write findings."""

    TEXT = "text"
    JSON = "json"


def doctor(
    ctx: typer.Context,
    docker: Annotated[
        str, typer.Option(envvar="DOCKER_HOST", metavar="URL", help="The engine; its usual socket without it.")
    ] = "",
    certificates: Annotated[
        str, typer.Option(envvar="DOCKER_CERT_PATH", metavar="DIR", help="ca.pem, cert.pem, key.pem of that engine.")
    ] = "",
    admin: Annotated[str, typer.Option(metavar="ADDR:PORT", help=f"An Envoy's admin interface; else {ADMIN}.")] = "",
    style: Annotated[DoctorFormat, typer.Option("--format", help="For people, or for programs.")] = DoctorFormat.TEXT,
) -> None:
    """Examine this place: control plane, engine, ports, names, TLS, clocks, Envoy; say how to mend what is wrong.

    It asks and changes nothing, from a laptop, a Docker host or inside a container. Ends with 0 where nothing is broken
    (there may be warnings), with 1 where something is.
    """
    findings = []
    for finding in _examine(connection(ctx), docker, certificates, admin):
        findings.append(finding)
        if style is DoctorFormat.TEXT:
            _print(finding)
    broken = sum(finding.level == "error" for finding in findings)
    if style is DoctorFormat.JSON:
        print_json({"well": not broken, "findings": [finding.document() for finding in findings]})
    else:
        warned = sum(finding.level == "warning" for finding in findings)
        typer.echo(f"\n{broken} broken, {warned} to watch, {len(findings)} looked at")
    raise typer.Exit(Exit.REFUSED if broken else Exit.DONE)


def _examine(known: Connection, docker: str, certificates: str, admin: str) -> Iterator[Finding]:
    """Yield findings as they are made: the place, the way to the control plane, then what is beside it."""
    from xds.cli.doctor import engine, envoy, host
    from xds.config import read_bind

    inside = host.in_container()
    yield host.place()
    is_startable = yield from _control_plane(known, inside=inside)
    if is_startable:
        yield from host.ports(_binds(os.environ, known.server))
    yield from engine.examine(docker, certificates, inside=inside)
    yield envoy.program(os.environ)
    at = read_bind(admin or ADMIN, pointer="/admin")
    node, findings = envoy.running(at, asked=bool(admin))
    yield from findings
    if node:
        yield from envoy.connected(at, node, known.server, known.token)
    yield from host.files()


def _control_plane(known: Connection, *, inside: bool) -> Generator[Finding, None, bool]:
    """Look at the control plane; returns whether this place is where it would be started, and is not."""
    from xds.cli.doctor import server as parts
    from xds.cli.doctor import tls
    from xds.control.clock import SystemClock

    wall = SystemClock().wall
    server = parts.Server.parse(known.server)
    if not isinstance(server, parts.Server):
        yield server
        return False
    addresses, named = parts.names(server)
    yield named
    if not addresses:
        return False
    reached = parts.reach(server, addresses, inside=inside)
    yield reached
    if reached.level == "error":
        return server.is_here
    if server.scheme == "https":
        secured = tls.examine(server.host, server.port, wall())
        if secured is not None:
            yield secured
            if secured.level == "error":
                return False
    said = list(parts.identity(server, known.token, wall))
    yield from said
    return server.is_here and said[0].level == "error"


def _binds(env: Mapping[str, str], server: str) -> dict[str, Address]:
    """Return where a control plane would listen if it were started here: as told, or where it is looked for."""
    from xds.config import ADS, API, read_bind

    port = urlsplit(server).port
    found = {"api": Address(API.host, port) if port else API, "ads": ADS}
    for name in found:
        with suppress(InvalidInput):  # a client's variable may hold a name, at which nobody can listen
            found[name] = read_bind(env.get(f"FAIRLEAD_{name.upper()}", ""), pointer="")
    return found


def _print(finding: Finding) -> None:
    typer.echo(f"{SIGNS[finding.level]} {finding.about:<{WIDTH}} {finding.says}")
    if finding.fix:
        typer.echo(f"{'':<{WIDTH + 2}} → {finding.fix}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)
