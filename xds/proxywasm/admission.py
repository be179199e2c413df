"""Whether a filter and its configuration may be given to Envoys.

Both are loaded, started and configured here first, and a few requests are run through; what fails is refused in words
that name whose fault it is, and whatever ran before keeps running. The same module and configuration always get the
same verdict, save on a machine too slow for the time limit. A verdict takes about as long as compiling the module
(0.1 s for the health filter), so a control loop asks for it in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import wasmtime

from xds.proxywasm.contexts import LogLine
from xds.proxywasm.failures import Refused, Trapped
from xds.proxywasm.interface import abi_version
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Limits, Runtime


@dataclass(frozen=True, slots=True)
class SmokeRequest:
    """A request to try, and headers it must have afterwards: a value, or None for a header that must be absent."""

    name: str
    headers: Sequence[tuple[bytes, bytes]] = ()
    properties: Mapping[bytes, bytes] = field(default_factory=dict)
    expect: Mapping[bytes, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `reason` is empty for what is accepted; names of imports carry their module.

    `abi` is empty where the module was refused before its version was known.
    """

    accepted: bool
    reason: str
    sha256: str
    exports: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    logs: tuple[LogLine, ...] = ()
    abi: str = ""


PLAIN: Final = SmokeRequest(
    "a plain request",
    headers=((b":method", b"GET"), (b":path", b"/"), (b":authority", b"localhost"), (b":scheme", b"http")),
    properties={b"source\0address": b"127.0.0.1:1"},
)
BARE: Final = SmokeRequest("a request without headers")
ODD: Final = SmokeRequest(
    "a request with odd headers", headers=((b"cookie", b"\xff=\xfe;;="), (b"x-empty", b""), (b"x-long", b"x" * 60_000))
)

FAILED: Final = ((b":status", b"503"), (b"x-long", b"x" * 60_000))


class Admission:
    """Judges modules, keeping the last few compiled. Safe to call from several threads. Close it at the end."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - a frozen value
        self._runtime = Runtime(limits)

    def check(
        self,
        module: bytes,
        configuration: bytes,
        *,
        vectors: Sequence[SmokeRequest] = (),
        sha256: str = "",
        root_id: str = "",
    ) -> Verdict:
        """The verdict; nothing that the module does raises.

        `sha256` is what its digest must be, in hexadecimal; `root_id` is for modules that choose their root by it.
        """
        digest = hashlib.sha256(module).hexdigest()
        exports: tuple[str, ...] = ()
        imports: tuple[str, ...] = ()
        abi = ""
        try:
            wanted = sha256.lower().removeprefix("sha256:")
            if wanted not in {"", digest}:
                raise Refused(f"the module is not the one that was meant: its SHA-256 is {digest}, not {wanted}")
            compiled = self._runtime.compile(module)
            exports, imports = _names(compiled)
            abi = abi_version(compiled)
            with Plugin(module, configuration, runtime=self._runtime, settings=Settings(root_id=root_id)) as plugin:
                for request in (PLAIN, BARE, ODD, *vectors):
                    _try(plugin, request)
                _tick(plugin)
                logs = tuple(plugin.machine.log)
        except Refused as refused:
            return Verdict(False, refused.reason, digest, exports, imports, refused.logs, abi)
        return Verdict(True, "", digest, exports, imports, logs, abi)

    def close(self) -> None:
        """Ends the runtime."""
        self._runtime.close()


def check(
    module: bytes,
    configuration: bytes,
    *,
    vectors: Sequence[SmokeRequest] = (),
    sha256: str = "",
    root_id: str = "",
) -> Verdict:
    """`Admission.check` with limits as they are by default, for a single verdict."""
    admission = Admission()
    try:
        return admission.check(module, configuration, vectors=vectors, sha256=sha256, root_id=root_id)
    finally:
        admission.close()


def _names(module: wasmtime.Module) -> tuple[tuple[str, ...], tuple[str, ...]]:
    exports = tuple(export.name or "" for export in module.exports)
    return exports, tuple(f"{wanted.module}.{wanted.name}" for wanted in module.imports)


def _try(plugin: Plugin, request: SmokeRequest) -> None:
    """The request with a failed response, to its end: a filter must bear that where it counts failures."""
    try:
        stream = plugin.stream()
        stream.properties.update(request.properties)
        stream.request_headers(request.headers, end=True)
        stream.response_headers(FAILED, end=True)
        stream.finish({"response.flags": 0, "upstream.request_attempt_count": 1})
    except Trapped as trapped:
        raise _refused(plugin, f"the filter is faulty: on {request.name}, {trapped}") from trapped
    left = stream.request.arrived or []
    for name, wanted in request.expect.items():
        found = [value for this, value in left if this == name.lower()]
        if found != ([] if wanted is None else [wanted]):
            shown = name.decode("utf-8", "replace")
            raise _refused(
                plugin, f"the filter is wrong: on {request.name}, it left {shown} as {found}, not {wanted!r}"
            )


def _tick(plugin: Plugin) -> None:
    if plugin.due_ns is None:
        return
    try:
        plugin.tick()
    except Trapped as trapped:
        raise _refused(plugin, f"the filter is faulty: when its time came, {trapped}") from trapped


def _refused(plugin: Plugin, reason: str) -> Refused:
    refused = Refused(reason)
    refused.logs = tuple(plugin.machine.log)
    return refused
