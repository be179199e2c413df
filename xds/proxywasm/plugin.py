"""A filter as a proxy runs it: one machine, one root context with its configuration, and requests through it.

The order of callbacks is Envoy's: create, vm_start, configure; per request create, request headers, log, done, delete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from xds.proxywasm.abi import Buffer, HeaderMap
from xds.proxywasm.contexts import ROOT, Context, Machine
from xds.proxywasm.instance import Instance, Trapped
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.runtime import Refused, Runtime

SOME_INSTANT_NS: Final = 1_750_000_000_000_000_000
"""Wall time for guests that are given no clock: the same module and configuration then get the same verdict."""

EVERYWHERE: Final[Mapping[bytes, bytes]] = {
    b"plugin_name": b"fairlead.health",
    b"plugin_root_id": b"",
    b"plugin_vm_id": b"",
}
"""Properties of every context. C++ filters abort where `plugin_root_id` is missing."""


class Plugin:
    """A configured filter. Raises Refused where module or configuration is not taken. Not for two threads at once."""

    def __init__(
        self,
        module: bytes,
        configuration: bytes = b"",
        *,
        runtime: Runtime | None = None,
        now_ns: Callable[[], int] = lambda: SOME_INSTANT_NS,
        random: Callable[[int], bytes] = bytes,
    ) -> None:
        self.machine = Machine(now_ns=now_ns, random=random, properties=EVERYWHERE)
        self._owns_runtime = runtime is None
        self._runtime = runtime or Runtime()
        self._next = ROOT + 1
        try:
            self._start(module, configuration)
        except Refused as refused:
            refused.logs = tuple(self.machine.log)
            self.close()
            raise

    def _start(self, module: bytes, configuration: bytes) -> None:
        compiled = self._runtime.compile(module)
        self.machine.contexts[ROOT] = Context()
        try:
            self._instance = Instance(self._runtime, compiled, self.machine)
            self._run_start_functions()
            self._enter(ROOT)
            self._instance.call("proxy_on_context_create", ROOT, 0)
            self.machine.context.buffers[Buffer.VM_CONFIGURATION] = b""
            if self._instance.has("proxy_on_vm_start") and not self._instance.call("proxy_on_vm_start", ROOT, 0):
                raise Refused(f"the filter does not start: {self._last_words()}")
            del self.machine.context.buffers[Buffer.VM_CONFIGURATION]
            accepted = self.configure(configuration)
        except Trapped as trapped:
            raise Refused(f"the filter is faulty: {trapped}; {self._last_words()}") from trapped
        if not accepted:
            raise Refused(f"the filter refuses its configuration: {self._last_words()}")

    def _run_start_functions(self) -> None:
        if self._instance.has("_initialize"):
            self._instance.call("_initialize")
        else:
            self._instance.call("_start")

    def _enter(self, context: int) -> None:
        self.machine.current = context

    def _last_words(self) -> str:
        """What the filter logged last, for a reason."""
        return f'it logged "{self.machine.log[-1].text}"' if self.machine.log else "it logged nothing"

    def configure(self, configuration: bytes) -> bool:
        """Gives the root another configuration; False where the filter refuses it. Raises Trapped."""
        if not self._instance.has("proxy_on_configure"):
            return True
        self._enter(ROOT)
        self.machine.context.buffers[Buffer.PLUGIN_CONFIGURATION] = configuration
        try:
            return bool(self._instance.call("proxy_on_configure", ROOT, len(configuration)))
        finally:
            self.machine.contexts[ROOT].buffers.pop(Buffer.PLUGIN_CONFIGURATION, None)

    def on_request(
        self, headers: Sequence[tuple[bytes, bytes]], properties: Mapping[bytes, bytes] | None = None
    ) -> Pairs:
        """A request without a body from its first to its last callback; its headers as the filter leaves them.

        Paths of `properties` are joined by zero bytes. Raises Trapped.
        """
        context, self._next = self._next, self._next + 1
        state = Context(
            maps={HeaderMap.REQUEST_HEADERS: [(name.lower(), value) for name, value in headers]},
            properties=dict(properties or {}),
        )
        self.machine.contexts[context] = state
        size = [len(headers), 1] if self._instance.version != "0.1.0" else [len(headers)]
        try:
            self._run(context, "proxy_on_context_create", ROOT)
            self._run(context, "proxy_on_request_headers", *size)
            left = list(state.maps[HeaderMap.REQUEST_HEADERS])
            for name in ("proxy_on_log", "proxy_on_done", "proxy_on_delete"):
                self._run(context, name)
        finally:
            del self.machine.contexts[context]
            self._enter(ROOT)
        return left

    def _run(self, context: int, name: str, *arguments: int) -> None:
        self._enter(context)
        self._instance.call(name, context, *arguments)

    def close(self) -> None:
        """Ends the runtime if the plugin made one for itself."""
        if self._owns_runtime:
            self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
