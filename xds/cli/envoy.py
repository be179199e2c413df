"""`envoy` and `bootstrap`: a node described on the command line, run here or printed to be run elsewhere."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.output import Format, print_json
from xds.model.names import DEFAULT_ENV
from xds.model.node import Role

if TYPE_CHECKING:
    from xds.bootstrap import BootstrapSpec
    from xds.cli.child import Drain

Bind = "ADDR:PORT"

RoleOption = Annotated[
    Role, typer.Option(help="A gateway at the edge, a sidecar beside an application, or gRPC itself (bootstrap only).")
]
Id = Annotated[str, typer.Option(help="The node's id; without it, one of role, name and listening addresses.")]
EnvOption = Annotated[str, typer.Option("--env", envvar="FAIRLEAD_ENV", help="The environment it belongs to.")]
Service = Annotated[str, typer.Option(help="Sidecar: the service whose instance it serves.")]
VersionOption = Annotated[str, typer.Option("--version", help="Sidecar: the version of that instance; names the node.")]
Gateway = Annotated[str, typer.Option(help="Gateway: the name of its gateway object.")]
UpstreamsOption = Annotated[
    str, typer.Option("--upstreams", metavar="A,B", help="Sidecar: the services its application calls; else all.")
]
App = Annotated[str, typer.Option(metavar=Bind, help="Sidecar: where its application listens.")]
Egress = Annotated[str, typer.Option(metavar=Bind, help="Sidecar: where the application sends requests, or `off`.")]
Ingress = Annotated[
    str, typer.Option(metavar=Bind, help="Sidecar: where requests for the application arrive, or `off`.")
]
Listen = Annotated[str, typer.Option(metavar=Bind, help="Gateway: overrides the bind of its only listener.")]
AdminOption = Annotated[str, typer.Option("--admin", metavar=Bind, help="Envoy's admin interface; loopback only.")]
Ads = Annotated[str, typer.Option("--ads", envvar="FAIRLEAD_ADS", metavar="HOST:PORT", help="The control plane's ADS.")]
Region = Annotated[str, typer.Option(help="Where it runs.")]
Zone = Annotated[str, typer.Option(help="Where it runs, more closely.")]
Reports = Annotated[bool, typer.Option("--reports/--no-reports", help="Load reports, metrics and runtime over xDS.")]
MaxConnections = Annotated[int, typer.Option(min=1, help="Connections it accepts in all.")]

EGRESS, INGRESS, ADMIN, ADS = "127.0.0.1:15001", "0.0.0.0:15006", "127.0.0.1:15000", "127.0.0.1:15010"


@dataclass(frozen=True, slots=True)
class _Words:
    """A node as the command line tells it."""

    role: Role
    id: str
    env: str
    service: str
    version: str
    gateway: str
    upstreams: str
    app: str
    egress: str
    ingress: str
    listen: str
    admin: str
    ads: str
    region: str
    zone: str
    reports: bool
    max_connections: int

    def spec(self, token: str) -> BootstrapSpec:
        """Return the node after checking every word; InvalidInput names the option."""
        from xds.bootstrap import BootstrapSpec, parse_bind, parse_endpoint
        from xds.model.instance import Address

        def bind(name: str) -> Address | None:
            text = getattr(self, name)
            return None if text in {"", "off"} else parse_bind(text, pointer=f"/{name}")

        return BootstrapSpec(
            role=self.role,
            id=self.id,
            env=self.env,
            service=self.service,
            version=self.version,
            gateway=self.gateway,
            upstreams=self.upstreams,
            egress=bind("egress"),
            ingress=bind("ingress"),
            app=Address.parse(self.app, pointer="/app") if self.app else None,
            bind=bind("listen"),
            admin=parse_bind(self.admin, pointer="/admin"),
            ads=parse_endpoint(self.ads, pointer="/ads"),
            token=token,
            region=self.region,
            zone=self.zone,
            reports=self.reports,
            max_connections=self.max_connections,
        )


def bootstrap(
    ctx: typer.Context,
    role: RoleOption = Role.SIDECAR,
    id: Id = "",  # noqa: A002 - the option's name
    env: EnvOption = DEFAULT_ENV,
    service: Service = "",
    version: VersionOption = "",
    gateway: Gateway = "",
    upstreams: UpstreamsOption = "",
    app: App = "",
    egress: Egress = EGRESS,
    ingress: Ingress = INGRESS,
    listen: Listen = "",
    admin: AdminOption = ADMIN,
    ads: Ads = ADS,
    region: Region = "",
    zone: Zone = "",
    reports: Reports = True,
    max_connections: MaxConnections = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML; Envoy reads both.")] = False,
) -> None:
    """Print the file that an Envoy starts with, to run it elsewhere: `envoy -c envoy.yaml --use-dynamic-base-id`.

    With --role grpc, what a gRPC program finds under GRPC_XDS_BOOTSTRAP, as JSON.
    With a token (--token-file) the file holds it: keep it as closely as the token.
    """
    from xds.bootstrap import bootstrap as made

    words = _Words(
        role, id, env, service, version, gateway, upstreams, app, egress, ingress, listen, admin, ads, region, zone,
        reports, max_connections,
    )  # fmt: skip
    document = made(words.spec(connection(ctx).token))
    if as_json or role is Role.GRPC:
        print_json(document)
    else:
        from xds.cli.documents import to_yaml

        typer.echo(to_yaml(document), nl=False)


def envoy(
    ctx: typer.Context,
    role: RoleOption = Role.SIDECAR,
    id: Id = "",  # noqa: A002 - the option's name
    env: EnvOption = DEFAULT_ENV,
    service: Service = "",
    version: VersionOption = "",
    gateway: Gateway = "",
    upstreams: UpstreamsOption = "",
    app: App = "",
    egress: Egress = EGRESS,
    ingress: Ingress = INGRESS,
    listen: Listen = "",
    admin: AdminOption = ADMIN,
    ads: Ads = ADS,
    region: Region = "",
    zone: Zone = "",
    reports: Reports = True,
    max_connections: MaxConnections = 20_000,
    envoy_path: Annotated[
        str, typer.Option(metavar="PATH", help="The program; else FAIRLEAD_ENVOY, the wheel, PATH.")
    ] = "",
    concurrency: Annotated[int, typer.Option(min=0, help="Worker threads; 0 is one per core.")] = 0,
    log_level: Annotated[str, typer.Option(help="trace, debug, info, warning, error, critical or off.")] = "warning",
    drain_time: Annotated[float, typer.Option(min=0, help="Seconds in which it still accepts when stopped.")] = 5.0,
    drain_limit: Annotated[float, typer.Option(min=0, help="Seconds in all for what is in flight.")] = 30.0,
    output: Annotated[
        Format, typer.Option("-o", "--output", help="How to print the one line of addresses.")
    ] = Format.TABLE,
) -> None:
    """Run an Envoy that takes its configuration from the control plane, until SIGTERM or Ctrl-C drains it.

    `fairlead envoy --role gateway --gateway edge`, or beside an application
    `fairlead envoy --service web --version v1 --app 127.0.0.1:8081`. Port 0 takes a free one. Prints one line with its
    addresses, then Envoy's own log. The exit code is Envoy's.
    """
    words = _Words(
        role, id, env, service, version, gateway, upstreams, app, egress, ingress, listen, admin, ads, region, zone,
        reports, max_connections,
    )  # fmt: skip
    if role is Role.GRPC:
        raise Failed("--role grpc has no Envoy to run: `fairlead bootstrap --role grpc` prints its file", Exit.INVALID)
    if log_level not in {"trace", "debug", "info", "warning", "error", "critical", "off"}:
        raise Failed(f"--log-level {log_level!r} is none of Envoy's", Exit.INVALID)
    from xds.bootstrap.ports import Ports
    from xds.cli.binary import check_version, find_envoy
    from xds.cli.child import Drain

    spec = words.spec(connection(ctx).token)
    binary = find_envoy(envoy_path, os.environ)
    check_version(binary)
    flags = ["--log-level", log_level, "--drain-time-s", str(max(1, round(drain_time)))]
    flags += ["--concurrency", str(concurrency)] if concurrency else []
    with Ports() as ports:
        spec = spec.bound(ports.allocate(spec.binds))
        code = _run(binary, spec, flags, Drain(drain_time, max(drain_time, drain_limit)), _say(spec, output))
    raise typer.Exit(code)


def _run(binary: Path, spec: BootstrapSpec, flags: list[str], drain: Drain, started: Callable[[int], None]) -> int:
    """Run Envoy on a file that only this user can read: it may hold the token."""
    from xds.bootstrap import bootstrap as made
    from xds.cli.admin import Admin
    from xds.cli.child import run

    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        file = Path(folder) / "bootstrap.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(made(spec), indent=1), encoding="utf-8")
        command: list[str | Path] = [binary, "-c", file, "--use-dynamic-base-id", *flags]
        return run(command, Admin(spec.admin), drain, started)


def _say(spec: BootstrapSpec, output: Format) -> Callable[[int], None]:
    """Return what prints the one line: who it is, its process and where it listens."""

    def say(pid: int) -> None:
        addresses = {name: str(address) for name, address in spec.binds.items()}
        if output is Format.JSON:
            typer.echo(json.dumps({"id": spec.node_id, "pid": pid, "ads": str(spec.ads), **addresses}))
        else:
            typer.echo("  ".join([f"envoy {spec.node_id}", f"pid {pid}", *(f"{n} {a}" for n, a in addresses.items())]))
        sys.stdout.flush()  # whoever reads a pipe waits for this line

    return say


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(envoy)
    app.command()(bootstrap)
