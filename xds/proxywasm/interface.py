"""Whether a module can be run at all: the ABI it speaks, what it imports, what it exports, and in which form."""

from __future__ import annotations

from typing import Final

import wasmtime

from xds.proxywasm.failures import Refused
from xds.proxywasm.signatures import (
    ALLOCATORS,
    CALLBACKS,
    CALLBACKS_0_1_0,
    ENV_IMPORTS,
    ONLY_IN,
    START,
    VERSIONS,
    WASI_IMPORTS,
    WASI_MODULES,
    Signature,
)

_LETTERS: Final = {"i": wasmtime.ValType.i32, "I": wasmtime.ValType.i64}


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
        if not isinstance(wanted.type, wasmtime.FuncType) or shape(wanted.type) != signature:
            raise Refused(f"the module imports {wanted.module}.{wanted.name} in another form than the ABI's")
    exported = {export.name: export.type for export in module.exports}
    if not isinstance(exported.get("memory"), wasmtime.MemoryType):
        raise Refused("the module does not export its memory")
    if not any(name in exported for name in ALLOCATORS):
        raise Refused(f"the module exports neither {' nor '.join(ALLOCATORS)}: nothing can be handed to it")
    callbacks = START | CALLBACKS | (CALLBACKS_0_1_0 if version == "0.1.0" else {})
    for name, signature in callbacks.items():
        kind = exported.get(name)
        if kind is not None and not (isinstance(kind, wasmtime.FuncType) and shape(kind) == signature):
            raise Refused(f"the module exports {name} in another form than the ABI's")


def _signature(module: str, name: str, version: str) -> Signature | None:
    if module in WASI_MODULES:
        return WASI_IMPORTS.get(name)
    if module != "env" or version not in ONLY_IN.get(name, (version,)):
        return None
    return ENV_IMPORTS.get(name)


def shape(kind: wasmtime.FuncType) -> Signature:
    """The signature of a function; `?` for a type that no part of the ABI has."""
    letters = {str(make()): letter for letter, make in _LETTERS.items()}
    parameters = "".join(letters.get(str(value), "?") for value in kind.params)
    return Signature(parameters, "".join(letters.get(str(value), "?") for value in kind.results))
