"""The composition root: the only place that knows every part, and plugs them together.

One process, one event loop: HTTP, gRPC and the control loop together, SQLite in a thread of its own. Ports open
first, and until the store is loaded and published they say that it is not: streams and requests are told to come back.
On the way out streams are drained first and the store is closed last.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import random
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from fastapi import FastAPI

from xds.ads.server import AdsServer
from xds.ads.settings import AdsSettings
from xds.api.server import ApiServer
from xds.api.settings import ApiSettings
from xds.config import Settings
from xds.control.admission import Admitted, admit
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.model.instance import Address
from xds.net.dialer import Dialer
from xds.net.targets import Targets
from xds.proxywasm.admission import Admission
from xds.sources.checks.probing import Prober
from xds.sources.checks.run import Checks
from xds.sources.checks.schedule import Schedule
from xds.sources.lease_watch import Outlets, watch
from xds.sources.leases import WheelLeases
from xds.store.settings import DATABASE, LAST_GOOD
from xds.store.shelf import FilterShelf
from xds.store.sqlite import SqliteStore
from xds.telemetry.station import Telemetry
from xds.telemetry.webhook import Webhook, WebhookSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a control plane that has started can be reached: its API's URL, and where ADS listens as `host:port`.

    `application` is the API itself, for who runs in the same process: a request to it takes a quarter of the time.
    """

    api: str
    ads: str
    application: FastAPI


Beside = Callable[[Serving], Coroutine[None, None, None]]
"""What else is to run in this process, as soon as it serves and for as long."""


def run(settings: Settings, started: Callable[[Serving], None] = lambda _: None, beside: Beside | None = None) -> None:
    """Run `serve` on the fastest event loop there is; returns after SIGTERM or SIGINT."""
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        runner.run(serve(settings, started, beside))


async def serve(
    settings: Settings, started: Callable[[Serving], None] = lambda _: None, beside: Beside | None = None
) -> None:
    """Run a control plane until SIGTERM or SIGINT; `started` is called once it serves.

    Raises Unavailable or Conflict when a port or the database is taken, in words; once parts run, in an ExceptionGroup.
    """
    stop, asked = _signalled(signal.SIGTERM, signal.SIGINT), _signalled(signal.SIGHUP)
    clock = SystemClock()
    store = SqliteStore(
        settings.data_dir / DATABASE, last_good=settings.data_dir / LAST_GOOD, settings=settings.store, clock=clock
    )
    try:
        admitted = await _filter(settings)
        leases = WheelLeases(clock, settings.leases)
        plane = ControlPlane(store=store, clock=clock, leases=leases, filter=admitted, quotas=settings.quotas)
        telemetry = _telemetry(plane, settings)
        plane.analyst.traffic = telemetry.traffic
        async with asyncio.TaskGroup() as tasks:
            ads = await _start_ads(plane, telemetry, settings)
            try:
                ads_at = Address(settings.ads.host, ads.ports[0])
                api = ApiServer(plane, _api_settings(settings, ads_at), telemetry)
                api_at = await api.bind()
                started_at = Serving(f"http://{api_at}", str(ads_at), api.app)
                own_ports = (api_at.port, ads_at.port)
                checks = _checks(plane, settings, own_ports)
                leases.probes = checks
                background = [tasks.create_task(api.serve(), name="api")]
                await plane.start()
                _settle_heap()
                renewals = watch(leases, plane.intent, clock, Outlets(plane.submit, plane.observe, plane.alarms.set))
                background += [
                    tasks.create_task(plane.run(), name="loop"),
                    tasks.create_task(renewals, name="leases"),
                    tasks.create_task(checks.run(), name="checks"),
                    tasks.create_task(telemetry.run(), name="telemetry"),
                    tasks.create_task(telemetry.opinions.run(plane.observe), name="opinions"),
                    tasks.create_task(_reload_filter(plane, settings, asked), name="reload"),
                    *(tasks.create_task(posting, name="webhook") for posting in _webhook(plane, settings, own_ports)),
                ]
                if beside is not None:
                    background.append(tasks.create_task(beside(started_at), name="beside"))
                started(started_at)
                await stop.wait()
                _log.info("stopping: streams are drained, then the API, then the store")
            finally:
                telemetry.close()
                await ads.stop()
            await api.stop()
            for task in background:
                task.cancel()
            await plane.store_keeping.keep_now()
    finally:
        await store.close()


def _checks(plane: ControlPlane, settings: Settings, own_ports: Sequence[int]) -> Checks:
    """Return the checks, which hear of every instance that comes, changes or goes, and of heartbeats."""
    dialer = _dialer(settings, own_ports)
    schedule = Schedule(random.random, plane.intent.health)
    prober = Prober(dialer, plane.clock.monotonic)
    checks = Checks(schedule, prober, plane.clock, plane.observe, plane.alarms.set)
    plane.followers.append(checks.committed)
    plane.heartbeats.append(checks.heartbeat)
    return checks


def _webhook(plane: ControlPlane, settings: Settings, own_ports: Sequence[int]) -> list[Coroutine[None, None, None]]:
    """Return what posts alarms, ready to run; nothing without a webhook."""
    if settings.webhook is None:
        return []
    hook = Webhook(WebhookSettings(*settings.webhook), _dialer(settings, own_ports).dial, plane.clock)
    plane.alarms.listen(hook.heard)
    return [hook.run()]


def _dialer(settings: Settings, own_ports: Sequence[int]) -> Dialer:
    return Dialer(Targets(settings.check_networks, frozenset(own_ports)))


def _telemetry(plane: ControlPlane, settings: Settings) -> Telemetry:
    return Telemetry(
        roster=plane.roster,
        cache=plane.cache,
        problems=lambda: plane.problems,
        clusters=plane.clusters,
        view=plane.intent.view,
        authorize=_guard(settings.token),
        clock=plane.clock.monotonic,
        alarms=lambda: plane.alarms.standing,
        store_age=plane.store_keeping.age,
    )


async def _start_ads(plane: ControlPlane, telemetry: Telemetry, settings: Settings) -> AdsServer:
    server = AdsServer(
        plane.cache,
        plane.roster,
        assign=plane.assign,
        authorize=_guard(settings.token),
        clock=plane.clock.monotonic,
        wall=plane.clock.wall,
        settings=(settings.ads_limits or AdsSettings()).listening_on(str(settings.ads)),
        observer=telemetry.streams,
        services=telemetry.services,
    )
    await server.start()
    return server


async def _filter(settings: Settings) -> Admitted:
    """Return the filter to publish after it has proved itself in this process."""
    if settings.filter is None:
        return Admitted(None)
    module = settings.filter.read_bytes()
    configuration = settings.filter_config.read_bytes() if settings.filter_config else b""
    admission = Admission()
    try:
        return await admit(module, configuration, admission.check, FilterShelf(settings.data_dir / "filter"))
    finally:
        admission.close()


async def _reload_filter(plane: ControlPlane, settings: Settings, asked: asyncio.Event) -> None:
    """Read the filter and its configuration again each time it is asked for; what is refused changes nothing."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            plane.use_filter(await _filter(settings))
        except OSError as error:
            _log.error("the filter could not be read again: %s", error)


def _guard(token: str) -> Callable[[Mapping[str, str], str], str | None]:
    """Return what ADS asks about each stream's metadata: None lets it in, a text says why not."""

    def authorize(metadata: Mapping[str, str], _: str) -> str | None:
        if not token:
            return None
        given = metadata.get("authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return None
        return "this control plane asks for a token: send it as 'authorization: Bearer ...'"

    return authorize


def _api_settings(settings: Settings, ads: Address) -> ApiSettings:
    return ApiSettings(
        host=settings.api.host,
        port=settings.api.port,
        token=settings.token or None,
        insecure_non_loopback=settings.insecure_non_loopback,
        ads_host=ads.host,
        ads_port=ads.port,
    )


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it exists: a fifth less time per push. None means asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop


def _signalled(*numbers: signal.Signals) -> asyncio.Event:
    """Return what is set when one of these signals comes, from now on: also while the control plane still starts."""
    came = asyncio.Event()
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, came.set)
    return came


def _settle_heap() -> None:
    """Keep the collector off what lives as long as the process; walking it took a tenth of each push.

    Until now it was off: see `xds.cli.serve`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
