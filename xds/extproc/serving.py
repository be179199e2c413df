"""The program: admission, the filter, the server, and their end."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from xds.control.clock import SystemClock
from xds.extproc.server import ExtProcServer
from xds.extproc.settings import Bounds
from xds.model.instance import Address
from xds.model.problems import InvalidInput
from xds.proxywasm.abi import LogLevel
from xds.proxywasm.admission import Admission
from xds.proxywasm.contexts import LogLine
from xds.proxywasm.machine import Host
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Limits, Runtime
from xds.proxywasm.stream import OnFailure

_log = logging.getLogger("xds.extproc")

_LEVELS: Final = {LogLevel.WARN: logging.WARNING, LogLevel.ERROR: logging.ERROR, LogLevel.CRITICAL: logging.CRITICAL}


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen and what to serve. `token` is demanded of every stream, unless it is empty."""

    listen: Address
    filter: Path
    filter_config: Path | None = None
    token: str = field(default="", repr=False)
    bounds: Bounds = field(default_factory=Bounds)


def run(options: Options, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `started` is told the address once it is served. Raises InvalidInput, Conflict."""
    module = _read(options.filter, "filter")
    configuration = _read(options.filter_config, "filter_config") if options.filter_config else b""
    _admit(module, configuration)
    import uvloop  # noqa: PLC0415 - not everywhere, and only here

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options, module, configuration, started))


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", pointer=f"/{name}") from None


def _admit(module: bytes, configuration: bytes) -> None:
    """InvalidInput, with the verdict's words, for a filter that Envoys would not be given either."""
    admission = Admission()
    try:
        verdict = admission.check(module, configuration)
    finally:
        admission.close()
    if not verdict.accepted:
        raise InvalidInput(verdict.reason, pointer="/filter")


async def _serve(options: Options, module: bytes, configuration: bytes, started: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()

    def now_ns() -> int:
        return int(clock.wall().timestamp() * 1_000_000) * 1_000

    with Runtime(Limits(call_seconds=options.bounds.guest_call)) as runtime:
        host = Host(now_ns=now_ns, random=os.urandom, on_log=_say, vm_id=b"fairlead.health")
        policy = Settings(on_failure=OnFailure.RELOAD)
        plugin = Plugin(module, configuration, runtime=runtime, host=host, settings=policy)
        server = ExtProcServer(plugin, now_ns=now_ns, bounds=options.bounds, authorize=_guard(options.token))
        await server.start(str(options.listen))
        async with asyncio.TaskGroup() as tasks:
            timers = tasks.create_task(server.run_timers(), name="timers")
            started(str(Address(options.listen.host, server.port)))
            await stop.wait()
            _log.info("draining", extra={"streams": server.open})
            await server.stop()
            timers.cancel()
        _log.info("stopped", extra=dict(server.ended))


def _say(line: LogLine) -> None:
    _log.log(_LEVELS.get(line.level, logging.INFO), "%s", line.text)


def _guard(token: str) -> Callable[[Mapping[str, str], str], str | None]:
    def authorize(metadata: Mapping[str, str], _: str) -> str | None:
        if not token or hmac.compare_digest(metadata.get("authorization", "").encode(), f"Bearer {token}".encode()):
            return None
        return "this processor asks for a token: send it as 'authorization: Bearer ...'"

    return authorize
