"""One started module on the host's side: its contexts, what it logged, and whose turn it is.

A guest is never entered while it runs. What it asks for in a callback (go on, answer, wake a queue) and what happens
meanwhile (a call was answered) is deferred, and done in order once the callback has returned, as Envoy does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from xds.proxywasm.abi import LogLevel
from xds.proxywasm.contexts import Context, LogLine
from xds.proxywasm.failures import Trapped
from xds.proxywasm.outbound import GrpcClient, HttpClient, no_grpc, no_http
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.sharing import Shared

SOME_INSTANT_NS: Final = 1_750_000_000_000_000_000
"""Wall time for guests that are given no clock: the same module and configuration then get the same verdict."""

MOST_LOG_LINES: Final = 1_000
LONGEST_LOG_LINE: Final = 4_096
TURN_CALLS: Final = 3
"""How many times the limit of one call everything may last that follows from it."""

ForeignFunction = Callable[[bytes], "bytes | None"]
"""Arguments -> result; None where the arguments are wrong."""


def silent(_: LogLine) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Host:
    """What a guest is given from outside. Time is wall time in nanoseconds; `random` gives that many bytes.

    `vm_id` is whose data it shares in `shared`; `environment` is what WASI shows; `level` is the least level that the
    guest is told to log.
    """

    now_ns: Callable[[], int] = lambda: SOME_INSTANT_NS
    random: Callable[[int], bytes] = bytes
    shared: Shared = field(default_factory=Shared)
    http: HttpClient = no_http
    grpc: GrpcClient = no_grpc
    foreign: Mapping[str, ForeignFunction] = field(default_factory=dict)
    on_log: Callable[[LogLine], None] = silent
    vm_id: bytes = b""
    vm_configuration: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    level: LogLevel = LogLevel.TRACE


class Machine:
    """Contexts and turns of one instance. `bind` gives it the instance."""

    def __init__(self, host: Host, runtime: Runtime) -> None:
        self.host = host
        self.limits = runtime.limits
        self.contexts: dict[int, Context] = {}
        self.current = 0
        self.log: deque[LogLine] = deque(maxlen=MOST_LOG_LINES)
        self.calls: dict[str, int] = {}
        self.failed = ""
        self.restricted = ""
        self.deadlines: dict[int, tuple[int, Callable[[], None]]] = {}
        self._runtime = runtime
        self._last = 0
        self._call: Callable[..., int] | None = None
        self._turn: deque[Callable[[], None]] = deque()
        self._busy = False

    def bind(self, call: Callable[..., int]) -> None:
        """Takes the way into the guest: name of an export and its arguments -> result. Raises Trapped."""
        self._call = call

    @property
    def context(self) -> Context:
        """The context that host calls act on now."""
        return self.contexts[self.current]

    @property
    def root(self) -> Context:
        """The root of that context; what other services answered is readable there."""
        return self.contexts[self.contexts[self.current].root]

    @contextmanager
    def restrict(self, phase: str) -> Iterator[None]:
        """Forbids most host calls for a while; `phase` completes the sentence that says so."""
        before, self.restricted = self.restricted, phase
        try:
            yield
        finally:
            self.restricted = before

    def open(self, context: Context) -> int:
        """Gives a context its number; numbers are never used twice."""
        self._last += 1
        self.contexts[self._last] = context
        return self._last

    def say(self, level: LogLevel, text: bytes) -> None:
        """Keeps a log line, cut to a length, and tells who listens. The oldest ones are forgotten."""
        line = LogLine(level, text[:LONGEST_LOG_LINE].decode("utf-8", "replace"))
        self.log.append(line)
        self.host.on_log(line)

    def fail(self, words: str) -> None:
        """The guest is finished; every stream of it is told, once."""
        self.failed = words
        for context in list(self.contexts.values()):
            if context.flow is not None:
                context.flow.broken()

    def run(self, context: int, name: str, *arguments: int, then: Callable[[int], None] | None = None) -> int:
        """Calls back with the context's number and `arguments`; `then` has the result before what was deferred runs.

        An export that is absent answers 0. Raises Trapped.
        """
        if self._call is None:
            raise Trapped("its machine does not stand")
        before, busy = self.current, self._busy
        self.current, self._busy = context, True
        try:
            result = self._call(name, context, *arguments)
            if then is not None:
                then(result)
        except BaseException:
            self._turn.clear()
            raise
        finally:
            self.current, self._busy = before, busy
        if self._turn and not busy:
            self._settle()
        return result

    def defer(self, action: Callable[[], None]) -> None:
        """Does something now, or once the guest has returned."""
        self._turn.append(action)
        if not self._busy:
            self._settle()

    def _settle(self) -> None:
        """Does what was deferred, and what is deferred by that, within a limit: a guest cannot go on for ever."""
        ends = self._runtime.ticks + TURN_CALLS * self.limits.deadline_ticks
        self._busy = True
        try:
            while self._turn:
                if self._runtime.ticks > ends:
                    self.fail(f"it did not come to rest within {TURN_CALLS * self.limits.call_seconds:g} s")
                    raise Trapped(self.failed)
                self._turn.popleft()()
        finally:
            self._turn.clear()
            self._busy = False
