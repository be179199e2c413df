"""A filter as a proxy runs it: a machine, a root context with its configuration, and streams through it.

Nothing here asks a real clock, draws by chance or opens a connection: all that is an argument, so a day of traffic can
pass in a second and the same run can be had again. Time moves when the caller moves it; `due_ns` says when something
would happen by itself (a tick, a time limit), `run_due` makes it happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from xds.proxywasm.abi import Buffer
from xds.proxywasm.connection import Connection
from xds.proxywasm.contexts import Context, LogLine
from xds.proxywasm.failures import Refused, Trapped
from xds.proxywasm.instance import Instance
from xds.proxywasm.machine import Host, Machine
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.properties import Value, encoded_all
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.sharing import Shared
from xds.proxywasm.stream import OnFailure, Stream

RELOAD_BACKOFF_NS: Final = 10_000_000
"""Least time between two reloads of a failed machine, as Fairlead configures Envoy."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How a plugin is configured in its proxy, beside its configuration.

    `name` and `root_id` are what the guest may ask for (the SDKs of C++ and AssemblyScript choose their root by it);
    `properties` hold for every stream and the root. `sees_body` is Envoy's `allow_on_headers_stop_iteration`: a filter
    that pauses on headers is still shown the body.
    """

    name: str = "fairlead.health"
    root_id: str = ""
    properties: Mapping[str, Value] = field(default_factory=dict)
    on_failure: OnFailure = OnFailure.RAISE
    reload_backoff_ns: int = RELOAD_BACKOFF_NS
    sees_body: bool = False


class Plugin:
    """A configured filter. Raises Refused where module or configuration is not taken. Not for two threads at once.

    Several plugins whose hosts have the same `shared` and `vm_id` share data, queues and metrics, as the workers of an
    Envoy do.
    """

    def __init__(
        self,
        module: bytes,
        configuration: bytes = b"",
        *,
        runtime: Runtime | None = None,
        host: Host | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._owns_runtime = runtime is None
        self._runtime = runtime or Runtime()
        self._host = host or Host()
        self._settings = settings or Settings()
        self._everywhere = {
            b"plugin_name": self._settings.name.encode(),
            b"plugin_root_id": self._settings.root_id.encode(),
            b"plugin_vm_id": self._host.vm_id,
        } | encoded_all(self._settings.properties)
        self._next_reload_ns = 0
        self._module = module
        self._configuration = configuration
        self.reloads = 0
        self.machine = Machine(self._host, self._runtime)
        try:
            self._start_machine()
            self._start_root()
        except Refused:
            self.close()
            raise

    def _start_machine(self) -> None:
        machine = self.machine
        try:
            self._instance = Instance(self._runtime, self._runtime.compile(self._module), machine)
            self._instance.start()
        except Trapped as trapped:
            raise self._refused(f"the filter is faulty: {trapped}; {self._last_words()}") from trapped

    def _start_root(self) -> None:
        context = Context(0, None, self._everywhere.get)
        context.buffers[Buffer.VM_CONFIGURATION] = self._host.vm_configuration
        self.root = context.root = self.machine.open(context)
        size = len(self._host.vm_configuration)
        try:
            self.machine.run(self.root, "proxy_on_context_create", 0)
            if self._instance.has("proxy_on_vm_start") and not self.machine.run(self.root, "proxy_on_vm_start", size):
                raise self._refused(f"the filter does not start: {self._last_words()}")
            accepted = self.configure(self._configuration)
        except Trapped as trapped:
            raise self._refused(f"the filter is faulty: {trapped}; {self._last_words()}") from trapped
        if not accepted:
            raise self._refused(f"the filter refuses its configuration: {self._last_words()}")

    def _refused(self, reason: str) -> Refused:
        refused = Refused(reason)
        refused.logs = tuple(self.machine.log)
        return refused

    def _last_words(self) -> str:
        """What the filter logged last, for a reason."""
        return f'it logged "{self.machine.log[-1].text}"' if self.machine.log else "it logged nothing"

    @property
    def version(self) -> str:
        """The ABI that the module speaks."""
        return self._instance.version

    @property
    def shared(self) -> Shared:
        """Shared data, queues and metrics; give them to another plugin to make both workers of one proxy."""
        return self._host.shared

    @property
    def log(self) -> deque[LogLine]:
        """The latest lines that the filter logged."""
        return self.machine.log

    def configure(self, configuration: bytes) -> bool:
        """Gives the root another configuration; False where the filter refuses it. Raises Trapped."""
        if self._instance.has("proxy_on_configure"):
            buffers = self.machine.contexts[self.root].buffers
            buffers[Buffer.PLUGIN_CONFIGURATION] = configuration
            try:
                accepted = self.machine.run(self.root, "proxy_on_configure", len(configuration))
            finally:
                del buffers[Buffer.PLUGIN_CONFIGURATION]
            if not accepted:
                return False
        self._configuration = configuration
        return True

    def beside(self, configuration: bytes) -> Plugin:
        """Another root in the same machine, as Envoy has while one configuration takes over from another.

        Raises Refused; this plugin goes on either way. `retire` the one that is not needed any more.
        """
        other = copy(self)
        other._owns_runtime = False
        other._configuration = configuration
        other._start_root()
        return other

    def stream(self, properties: Mapping[str, Value] | None = None) -> Stream:
        """A new HTTP stream. Where the machine has failed and the policy says so, in a new machine."""
        if self.machine.failed and self._settings.on_failure is OnFailure.RELOAD:
            self._reload()
        stream = Stream(
            self.machine,
            self._instance.version,
            self.root,
            self._everywhere,
            on_failure=self._settings.on_failure,
            sees_body=self._settings.sees_body,
        )
        stream.set(properties or {})
        return stream

    def connection(self, properties: Mapping[str, Value] | None = None) -> Connection:
        """A new TCP connection. Raises Trapped."""
        connection = Connection(self.machine, self.root, self._everywhere)
        connection.set(properties or {})
        return connection

    def _reload(self) -> None:
        """Tries a new machine, not too often; what the old one shared with others is still there."""
        now = self._host.now_ns()
        if now < self._next_reload_ns:
            return
        self._next_reload_ns = now + self._settings.reload_backoff_ns
        before = self.machine, self._instance, self.root
        self.machine = Machine(self._host, self._runtime)
        try:
            self._start_machine()
            self._start_root()
        except Refused:
            self.machine, self._instance, self.root = before
        else:
            self.reloads += 1

    def on_request(
        self, headers: Sequence[tuple[bytes, bytes]], properties: Mapping[bytes, bytes] | None = None
    ) -> Pairs:
        """A request without a body from its first to its last callback; its headers as the filter leaves them.

        Paths of `properties` are joined by zero bytes, values are encoded. Raises Trapped where failures are raised.
        """
        stream = self.stream()
        stream.properties.update(properties or {})
        stream.request_headers(headers, end=True)
        left = list(stream.request.arrived or [])
        stream.finish()
        return left

    @property
    def due_ns(self) -> int | None:
        """When something happens by itself: the next tick, or the end of a call's time. None while nothing will."""
        due = [when for when, _ in self.machine.deadlines.values()]
        context = self.machine.contexts.get(self.root)
        if context is not None and context.tick_ms:
            due.append(context.tick_due_ns)
        return min(due, default=None)

    def run_due(self) -> int:
        """Does what is due now, the earliest first, and says how much it was. Raises Trapped.

        One tick at most: a timer that was late is not made up for.
        """
        now, done, ticked = self._host.now_ns(), 0, False
        while True:
            context = self.machine.contexts.get(self.root)
            tick = context.tick_due_ns if context is not None and context.tick_ms and not ticked else None
            number, when = min(
                ((number, when) for number, (when, _) in self.machine.deadlines.items()),
                key=lambda each: each[1],
                default=(0, now + 1),
            )
            if tick is not None and tick <= min(now, when):
                self.tick()
                ticked = True
            elif when <= now:
                self.machine.deadlines.pop(number)[1]()
            else:
                return done
            done += 1

    def tick(self) -> None:
        """Calls the timer's callback, due or not, and winds the timer again. Raises Trapped."""
        context = self.machine.contexts[self.root]
        context.tick_due_ns = self._host.now_ns() + context.tick_ms * _NS_PER_MS
        self.machine.run(self.root, "proxy_on_tick")

    def foreign_function(self, number: int, arguments: bytes) -> None:
        """The proxy calls a function of the guest's by number. Raises Trapped."""
        buffers = self.machine.contexts[self.root].buffers
        buffers[Buffer.FOREIGN_ARGUMENTS] = arguments
        try:
            self.machine.run(self.root, "proxy_on_foreign_function", number, len(arguments))
        finally:
            del buffers[Buffer.FOREIGN_ARGUMENTS]

    def retire(self) -> bool:
        """The root is not needed any more: asks it whether it is done, and deletes it then or once it says so.

        Says whether it is gone. Raises Trapped.
        """
        context = self.machine.contexts[self.root]

        def delete() -> None:
            context.on_done = None
            self.machine.run(self.root, "proxy_on_delete")
            del self.machine.contexts[self.root]

        if self._instance.has("proxy_on_done") and not self.machine.run(self.root, "proxy_on_done"):
            context.on_done = delete
            return False
        delete()
        return True

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
