"""What bounds a guest: bytes of module and memory, and the time that one call may take.

A runtime is an engine and one thread that moves the engine's epoch on; a guest that runs past its deadline is stopped
there. Envoy has no such limit: a filter that loops there holds its worker for ever, so it must be caught here.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import wasmtime

from xds.proxywasm.failures import Refused

TICK_SECONDS: Final = 0.05
KEPT_MODULES: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds that a guest gets; `body_bytes` is the most that is held of a message, or sent in a call."""

    module_bytes: int = 16 << 20
    memory_bytes: int = 64 << 20
    call_seconds: float = 1.0
    body_bytes: int = 1 << 20

    @property
    def deadline_ticks(self) -> int:
        """Epochs that one call may see; one more than the time, since the first is cut."""
        return math.ceil(self.call_seconds / TICK_SECONDS) + 1


class Runtime:
    """An engine with its clockwork; use it as a context manager, or call `close`. May be shared between threads."""

    def __init__(self, limits: Limits = Limits(), *, kept_modules: int = KEPT_MODULES) -> None:
        config = wasmtime.Config()
        config.epoch_interruption = True
        config.wasm_threads = False
        config.wasm_memory64 = False
        self.limits = limits
        self._kept_modules = kept_modules
        self.engine = wasmtime.Engine(config)
        self.ticks = 0
        self._modules: dict[str, wasmtime.Module] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="proxywasm-epoch", daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            self.engine.increment_epoch()
            self.ticks += 1

    def compile(self, module: bytes) -> wasmtime.Module:
        """The compiled module; the last few are kept by content. Raises Refused for what is no module or too large."""
        if len(module) > self.limits.module_bytes:
            raise Refused(f"the module is {len(module)} bytes long, the most is {self.limits.module_bytes}")
        if module[:4] != b"\0asm":
            raise Refused("the module is not WebAssembly: it does not begin with its magic number")
        digest = hashlib.sha256(module).hexdigest()
        compiled = self._modules.get(digest)
        if compiled is None:
            try:
                compiled = wasmtime.Module(self.engine, module)
            except wasmtime.WasmtimeError as error:
                words = " ".join(str(error).split())
                raise Refused(f"the module is not valid WebAssembly, cut or damaged: {words}") from error
            while len(self._modules) >= self._kept_modules:
                self._modules.pop(next(iter(self._modules)), None)
            self._modules[digest] = compiled
        return compiled

    def close(self) -> None:
        """Ends the thread. Guests of this runtime must not be called afterwards: nothing would stop them."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
