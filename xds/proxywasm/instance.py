"""One instance of a module: its imports checked and linked, its calls bounded, its failures in words.

Imports are matched one by one with the tables of `abi` and handed over in the module's order, so that a name imported
twice (Go's compilers do that) needs no linker. A trap ends the instance, as it ends a machine in Envoy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import wasmtime

from xds.proxywasm.abi import (
    ALLOCATORS,
    CALLBACKS,
    CALLBACKS_0_1_0,
    ENV_IMPORTS,
    ONLY_IN,
    VERSIONS,
    WASI_IMPORTS,
    WASI_MODULES,
    Signature,
    Status,
)
from xds.proxywasm.calls import ContextCalls
from xds.proxywasm.contexts import Machine
from xds.proxywasm.guest import Guest, HostCall
from xds.proxywasm.headers import HeaderCalls
from xds.proxywasm.memory import MASK, GuestMemory, OutOfBounds
from xds.proxywasm.runtime import Refused, Runtime
from xds.proxywasm.shared import SharedCalls
from xds.proxywasm.wasi import GuestExited, WasiCalls

WASI_FAULT: Final = 21
_LETTERS: Final = {"i": wasmtime.ValType.i32, "I": wasmtime.ValType.i64}
_TRAPS: Final = {
    wasmtime.TrapCode.UNREACHABLE: "it ran into `unreachable` (a panic, mostly)",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "it reached beyond its memory",
    wasmtime.TrapCode.STACK_OVERFLOW: "its stack overflowed",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "it divided by zero",
}


class Trapped(Exception):
    """The guest failed in a call; its machine is finished."""


def abi_version(module: wasmtime.Module) -> str:
    """The ABI that the module says it speaks. Raises Refused for none, or for one this host does not know."""
    names = [export.name for export in module.exports if export.name]
    known = [VERSIONS[name] for name in names if name in VERSIONS]
    if known:
        return max(known)
    unknown = [name for name in names if name.startswith("proxy_abi_version_")]
    if unknown:
        raise Refused(f"the module speaks an unknown Proxy-Wasm ABI: it exports {unknown[0]}")
    raise Refused("the module is no Proxy-Wasm filter: it exports no proxy_abi_version_*")


def check_interface(module: wasmtime.Module, version: str) -> None:
    """Raises Refused for an import nobody provides, and for an export that cannot be called as the ABI says."""
    for wanted in module.imports:
        signature = _signature(wanted.module, wanted.name or "", version)
        if signature is None:
            raise Refused(f"the module imports {wanted.module}.{wanted.name}, which Proxy-Wasm {version} does not have")
        if not isinstance(wanted.type, wasmtime.FuncType) or _shape(wanted.type) != signature:
            raise Refused(f"the module imports {wanted.module}.{wanted.name} in another form than the ABI's")
    exported = {export.name: export.type for export in module.exports}
    if not isinstance(exported.get("memory"), wasmtime.MemoryType):
        raise Refused("the module does not export its memory")
    if not any(name in exported for name in ALLOCATORS):
        raise Refused(f"the module exports neither {' nor '.join(ALLOCATORS)}: nothing can be handed to it")
    callbacks = CALLBACKS | (CALLBACKS_0_1_0 if version == "0.1.0" else {})
    for name, signature in callbacks.items():
        kind = exported.get(name)
        if kind is not None and not (isinstance(kind, wasmtime.FuncType) and _shape(kind) == signature):
            raise Refused(f"the module exports {name} in another form than the ABI's")


def _signature(module: str, name: str, version: str) -> Signature | None:
    if module in WASI_MODULES:
        return WASI_IMPORTS.get(name)
    if module != "env" or version not in ONLY_IN.get(name, (version,)):
        return None
    return ENV_IMPORTS.get(name)


def _shape(kind: wasmtime.FuncType) -> Signature:
    letters = {str(make()): letter for letter, make in _LETTERS.items()}
    parameters = "".join(letters.get(str(value), "?") for value in kind.params)
    return Signature(parameters, "".join(letters.get(str(value), "?") for value in kind.results))


class Instance:
    """A started instance. Raises Refused where the module does not fit, Trapped where its start function fails."""

    def __init__(self, runtime: Runtime, module: wasmtime.Module, machine: Machine) -> None:
        self.version = abi_version(module)
        check_interface(module, self.version)
        self._runtime = runtime
        self._machine = machine
        self._store = wasmtime.Store(runtime.engine)
        self._store.set_limits(memory_size=runtime.limits.memory_bytes, memories=1, instances=1, tables=16)
        self._failed = ""
        guest = Guest(machine)
        calls = _named(ContextCalls(guest), HeaderCalls(guest), SharedCalls(guest))
        wasi = _named(WasiCalls(guest))
        imports = [self._import(wanted, wasi if wanted.module in WASI_MODULES else calls) for wanted in module.imports]
        self._exports = self._instantiate(module, imports)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)  # noqa: S101 - check_interface has refused everything else
        self.memory = GuestMemory(self._store, memory)
        guest.bind(self.memory, self._allocate)

    def _instantiate(self, module: wasmtime.Module, imports: Sequence[wasmtime.Func]) -> Mapping[str, object]:
        self._store.set_epoch_deadline(self._runtime.limits.deadline_ticks)
        try:
            instance = wasmtime.Instance(self._store, module, list(imports))
            return dict(instance.exports(self._store).items())
        except wasmtime.Trap as trap:
            raise Trapped(f"its start function failed: {self._words(trap)}") from trap
        except GuestExited as exited:
            raise Trapped(f"its start function failed: {exited}") from exited
        except wasmtime.WasmtimeError as error:
            most = self._runtime.limits.memory_bytes
            words = " ".join(str(error).split())
            raise Refused(f"the module cannot be instantiated within {most} bytes of memory: {words}") from error

    def has(self, name: str) -> bool:
        """Whether the module exports a function of that name."""
        return isinstance(self._exports.get(name), wasmtime.Func)

    def call(self, name: str, *arguments: int) -> int:
        """Calls an export and returns its result, 0 for one without result or one that is absent. Raises Trapped."""
        if self._failed:
            raise Trapped(f"its machine has failed before: {self._failed}")
        function = self._exports.get(name)
        if not isinstance(function, wasmtime.Func):
            return 0
        self._store.set_epoch_deadline(self._runtime.limits.deadline_ticks)
        try:
            result = function(self._store, *arguments)
        except (wasmtime.Trap, GuestExited, wasmtime.WasmtimeError) as failure:
            self._failed = self._words(failure)
            raise Trapped(f"{name} failed: {self._failed}") from failure
        return int(result or 0) & MASK

    def _allocate(self, size: int) -> int:
        """Memory from the guest, asked for within a host call: the outer call's deadline goes on counting."""
        for name in ALLOCATORS:
            function = self._exports.get(name)
            if isinstance(function, wasmtime.Func):
                return int(function(self._store, size) or 0) & MASK
        return 0

    def _import(self, wanted: wasmtime.ImportType, calls: Mapping[str, HostCall]) -> wasmtime.Func:
        name = wanted.name or ""
        call = calls.get(name)
        counts = self._machine.calls
        fault = WASI_FAULT if wanted.module in WASI_MODULES else Status.INVALID_MEMORY_ACCESS

        def host_call(*arguments: int) -> int | None:
            counts[name] = counts.get(name, 0) + 1
            if call is None:
                return int(Status.UNIMPLEMENTED)
            try:
                answer = call(*arguments)
            except OutOfBounds:
                return int(fault)
            return None if answer is None else int(answer)

        assert isinstance(wanted.type, wasmtime.FuncType)  # noqa: S101 - check_interface has refused everything else
        return wasmtime.Func(self._store, wanted.type, host_call)

    def _words(self, failure: Exception) -> str:
        if isinstance(failure, wasmtime.Trap):
            if failure.trap_code is wasmtime.TrapCode.INTERRUPT:
                return f"it did not return within {self._runtime.limits.call_seconds:g} s"
            words = _TRAPS.get(failure.trap_code) if failure.trap_code else None
            return words or " ".join(failure.message.split())
        return " ".join(str(failure).split())


def _named(*providers: object) -> dict[str, HostCall]:
    names = (*ENV_IMPORTS, *WASI_IMPORTS)
    return {name: getattr(provider, name) for provider in providers for name in names if hasattr(provider, name)}
