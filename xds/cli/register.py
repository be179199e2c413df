"""`register`: the way in for programs on virtual machines: run one, register it while it is ready, take it out first.

The registration itself is kept by `xds.client`, as an application would.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.connection import Connection, connection
from xds.cli.exits import Exit, Failed, complain
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.readiness import Probe
    from xds.cli.supervised import Supervised
    from xds.client import Details, Registration

Drain = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="From deregistering it to passing SIGTERM on.")]
CheckOption = Annotated[
    str,
    typer.Option(
        "--check",
        metavar="CHECK",
        help="Asked here first, and by the control plane from then on: tcp, http:/healthz, grpc:9000/shop.Web.",
    ),
]
KEPT_S = 1.0  # seconds between two looks at how the registration stands


def register(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- CMD ARG...]", help="The program; without it, one that runs.")
    ] = None,
    service: Annotated[str, typer.Option(help="The service that it is an instance of.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where it listens.")] = 0,
    address: Annotated[
        str, typer.Option(help="Where others reach it; else this host's address towards the control plane.")
    ] = "",
    id: Annotated[str, typer.Option(help="Its id; else one of service, address and port.")] = "",  # noqa: A002 - the option's name
    version: Annotated[str, typer.Option("--version", help="Its version.")] = "",
    env: Annotated[str, typer.Option("--env", envvar="FAIRLEAD_ENV", help="The environment.")] = DEFAULT_ENV,
    region: Annotated[str, typer.Option(help="Where it runs.")] = "",
    zone: Annotated[str, typer.Option(help="Where it runs, more closely.")] = "",
    weight: Annotated[int | None, typer.Option(min=0, max=10_000, help="Relative, inside its version.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="May be repeated.")] = None,
    check: CheckOption = "",
    fast: Annotated[bool, typer.Option("--fast", help="The control plane asks every 100 ms, not every 5 s.")] = False,
    ttl: Annotated[float, typer.Option(min=1, max=3600, metavar="SECONDS", help="How long silence is borne.")] = 10.0,
    ready_timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long it may take to start.")
    ] = 60.0,
    drain: Drain = 5.0,
    kill_after: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="From SIGTERM to SIGKILL, if it does not end.")
    ] = 30.0,
) -> None:
    """Run a program and keep it registered: `fairlead register --service web --port 8080 -- python3 app.py`.

    It is registered once its port accepts or its check is good, and taken out when it ends. SIGTERM or Ctrl-C takes it
    out first, waits while Envoys stop sending there, and then stops it; a second one does not wait. The exit code is
    the program's. Without a program, one that runs already is kept registered until this command is stopped.
    """
    if not service or not port:
        raise Failed("--service and --port say what it is and where it listens", Exit.INVALID)
    from xds.cli.readiness import Probe
    from xds.cli.supervised import Supervised, signals_wait

    known = connection(ctx)
    details = _details(known, address=address, id=id, version=version, env=env, region=region, zone=zone)
    details |= {"ttl": ttl, "labels": _labels(label or [])}
    if weight is not None:
        details["weight"] = weight
    probe = Probe.parse(check or "tcp", details["address"], port)
    if check or fast:
        details["check"] = {**probe.document, **({"fast": True} if fast else {})}
    if command and Probe(probe.host, port).is_good():
        raise Failed(f"something listens on {probe.host}:{port} already, and would be taken for this program")
    with signals_wait():
        program = Supervised(command or [])
        try:
            if _is_ready(program, probe, ready_timeout):
                _serve(known, program, service, port, details, drain)
        finally:
            program.stop(kill_after)
    raise typer.Exit(program.code)


def _details(known: Connection, **words: str) -> Details:
    from xds.client.document import own_address

    said: Details = {"address": words.pop("address") or own_address(known.server)}
    said.update({name: word for name, word in words.items() if word})  # type: ignore[typeddict-item]  # all of them are text
    return said


def _labels(pairs: list[str]) -> dict[str, str]:
    labels = dict[str, str]()
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Failed(f"--label {pair!r} is not KEY=VALUE", Exit.INVALID)
        labels[key] = value
    return labels


def _is_ready(program: Supervised, probe: Probe, timeout: float) -> bool:
    """Wait until it is ready; False when it ended or is to stop before. Failed when it takes too long."""
    deadline = time.monotonic() + timeout
    while not probe.is_good():
        if program.ended or program.rest():
            return False
        if time.monotonic() >= deadline:
            raise Failed(f"it was not ready within {timeout:g} s: {probe} does not succeed", Exit.LATE)
    return not program.ended


def _serve(known: Connection, program: Supervised, service: str, port: int, details: Details, drain: float) -> None:
    from xds.client import ClientError, Fairlead, Refused

    try:
        fairlead = Fairlead(known.server, token=known.token)
    except ValueError as error:
        raise Failed(f"--server: {error}", Exit.INVALID) from None
    with fairlead:
        try:
            registration = fairlead.register(service, port, **details)
        except Refused as error:
            raise Failed(str(error), Exit.INVALID if error.status == 422 else Exit.REFUSED) from None
        _say(registration)
        if _watched(program, registration):
            complain(f"out of traffic, stopping in {drain:g} s (once more to stop at once)")
            try:
                fairlead.deregister(registration)
            except ClientError as error:
                complain(f"{error}; its lease ends by itself")
            program.linger(drain)


def _watched(program: Supervised, registration: Registration) -> bool:
    """Wait for the end; True when it is asked for. Without a program there is nothing left when the place is lost."""
    from xds.client import State

    state = registration.state
    while not program.ended:
        if program.rest(KEPT_S):
            return True
        if registration.state is not state:
            state = registration.state
            _say(registration)
            if state is State.LOST and not program.has_child:
                raise Failed(str(registration.error))
    return False


def _say(registration: Registration) -> None:
    """Tell on standard error how the registration stands: standard output is the program's."""
    why = f": {registration.error}" if registration.error is not None else ""
    complain(f"{registration.id or registration.document['service']} {registration.state}{why}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(context_settings={"allow_interspersed_args": False})(register)
