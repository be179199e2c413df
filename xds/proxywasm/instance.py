"""One instance of a module: its imports linked, its calls bounded, its failures in words.

Imports are handed over in the module's order, so that a name imported twice (Go's compilers do that) needs no linker.
A trap ends the instance, as it ends a machine in Envoy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import wasmtime

from xds.proxywasm.abi import Status
from xds.proxywasm.context_calls import ContextCalls
from xds.proxywasm.failures import Refused, Stopped, Trapped
from xds.proxywasm.guest import Guest, HostCall
from xds.proxywasm.header_calls import HeaderCalls
from xds.proxywasm.interface import abi_version, check_interface, shape
from xds.proxywasm.machine import Machine
from xds.proxywasm.memory import MASK, GuestMemory, OutOfBounds
from xds.proxywasm.outbound_calls import OutboundCalls
from xds.proxywasm.raw import Deadline, ExportedFunction, HostFunction
from xds.proxywasm.runtime import Runtime
from xds.proxywasm.shared_calls import SharedCalls
from xds.proxywasm.signatures import (
    ALLOCATORS,
    ENV_IMPORTS,
    MAIN,
    UNRESTRICTED,
    WASI_IMPORTS,
    WASI_MODULES,
    Signature,
)
from xds.proxywasm.wasi_calls import ABSENT, FAULT, WasiCalls

_TRAPS: Final = {
    wasmtime.TrapCode.UNREACHABLE: "it ran into `unreachable` (a panic, mostly)",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "it reached beyond its memory",
    wasmtime.TrapCode.STACK_OVERFLOW: "its stack overflowed",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "it divided by zero",
}


class Instance:
    """A started instance. Raises Refused where the module does not fit, Trapped where its start function fails."""

    def __init__(self, runtime: Runtime, module: wasmtime.Module, machine: Machine) -> None:
        self.version = abi_version(module)
        check_interface(module, self.version)
        self._runtime = runtime
        self._machine = machine
        self._store = wasmtime.Store(runtime.engine)
        self._store.set_limits(memory_size=runtime.limits.memory_bytes, memories=1, instances=1, tables=16)
        self._deadline = Deadline(self._store, runtime.limits.deadline_ticks)
        self._raised: BaseException | None = None
        self._kept: list[HostFunction] = []
        guest = self._guest = Guest(machine)
        calls = _named(ContextCalls(guest), HeaderCalls(guest), SharedCalls(guest), OutboundCalls(guest))
        wasi = _named(WasiCalls(guest))
        imports = [self._import(wanted, wasi if wanted.module in WASI_MODULES else calls) for wanted in module.imports]
        with machine.restrict("while it starts"):
            exports = self._instantiate(module, imports)
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)  # noqa: S101 - check_interface has refused everything else
        self._functions = {
            name: ExportedFunction(self._store, each, shape(each.type(self._store)))
            for name, each in exports.items()
            if isinstance(each, wasmtime.Func)
        }
        self._malloc = next(self._functions[name] for name in ALLOCATORS if name in self._functions)
        self._main = next(
            (
                (name, arguments)
                for name, (form, arguments) in MAIN.items()
                if _is(exports.get(name), form, self._store)
            ),
            None,
        )
        self.memory = GuestMemory(self._store, memory)
        guest.bind(self.memory, self._allocate)
        machine.bind(self.call)

    def _instantiate(self, module: wasmtime.Module, imports: Sequence[wasmtime.Func]) -> Mapping[str, object]:
        self._deadline.begin()
        try:
            instance = wasmtime.Instance(self._store, module, list(imports))
            return dict(instance.exports(self._store).items())
        except wasmtime.Trap as trap:
            raise Trapped(f"its start function failed: {self._words(self._raised or trap)}") from trap
        except wasmtime.WasmtimeError as error:
            most = self._runtime.limits.memory_bytes
            words = " ".join(str(error).split())
            raise Refused(f"the module cannot be instantiated within {most} bytes of memory: {words}") from error

    def start(self) -> None:
        """Runs the module's own start: `_initialize` and then its `main`, or `_start`. Raises Trapped."""
        with self._machine.restrict("while it starts"):
            if not self.has("_initialize"):
                self.call("_start")
                return
            self.call("_initialize")
            if self._main is not None:
                name, arguments = self._main
                self.call(name, *arguments)

    def has(self, name: str) -> bool:
        """Whether the module exports a function of that name."""
        return name in self._functions

    def call(self, name: str, *arguments: int) -> int:
        """Calls an export and returns its result, 0 for one without result or one that is absent. Raises Trapped."""
        machine = self._machine
        if machine.failed:
            raise Trapped(f"its machine has failed before: {machine.failed}")
        function = self._functions.get(name)
        if function is None:
            return 0
        self._deadline.begin()
        try:
            result = function(*arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as failure:
            cause = self._raised or failure
            if not isinstance(cause, (wasmtime.Trap, wasmtime.WasmtimeError, Stopped)):
                machine.fail("the host failed in a call of it")
                raise cause from None
            machine.fail(self._words(cause))
            raise Trapped(f"{name} failed: {machine.failed}") from failure
        finally:
            self.memory.moved()
        return result & MASK

    def _allocate(self, size: int) -> int:
        """Memory from the guest, asked for within a host call: the outer call's deadline goes on counting."""
        machine = self._machine
        before, machine.restricted = machine.restricted, "while it allocates"
        try:
            return self._malloc(size) & MASK
        finally:
            machine.restricted = before
            self.memory.moved()

    def _import(self, wanted: wasmtime.ImportType, calls: Mapping[str, HostCall]) -> wasmtime.Func:
        name = wanted.name or ""
        call = calls.get(name, _absent)
        counts, machine, guest = self._machine.calls, self._machine, self._guest
        fault = FAULT if wanted.module in WASI_MODULES else int(Status.INVALID_MEMORY_ACCESS)
        unrestricted = name in UNRESTRICTED

        def host_call(*arguments: int) -> int | None:
            counts[name] = counts.get(name, 0) + 1
            if machine.restricted and not unrestricted:
                raise Stopped(f"it called {name} {machine.restricted}")
            guest.moved()
            try:
                return call(*arguments)
            except OutOfBounds:
                return fault

        assert isinstance(wanted.type, wasmtime.FuncType)  # noqa: S101 - check_interface has refused everything else
        made = HostFunction(self._store, wanted.type, shape(wanted.type), host_call, self._on_raised)
        self._kept.append(made)
        return made.function

    def _on_raised(self, error: BaseException) -> None:
        """A host call has raised, or the guest has trapped within one; only the first is the reason."""
        self._raised = self._raised or error

    def _words(self, failure: BaseException) -> str:
        if isinstance(failure, wasmtime.Trap):
            if failure.trap_code is wasmtime.TrapCode.INTERRUPT:
                return f"it did not return within {self._runtime.limits.call_seconds:g} s"
            words = _TRAPS.get(failure.trap_code) if failure.trap_code else None
            return words or " ".join(failure.message.split())
        return " ".join(str(failure).split())


def _is(export: object, form: Signature, store: wasmtime.Store) -> bool:
    return isinstance(export, wasmtime.Func) and shape(export.type(store)) == form


def _absent(*_: int) -> int:
    return ABSENT


def _named(*providers: object) -> dict[str, Callable[..., int | None]]:
    names = (*ENV_IMPORTS, *WASI_IMPORTS)
    return {name: getattr(provider, name) for provider in providers for name in names if hasattr(provider, name)}
