"""A guest that does what a test says: it imports everything, and exports each import again for the test to call.

Host calls are then made by a real guest in wasmtime, with its memory and its allocator, and every status can be seen.
Its callbacks on headers, bodies and trailers pause, so that maps and buffers stay readable.
"""

from __future__ import annotations

import wasmtime

from xds.proxywasm.contexts import Context
from xds.proxywasm.plugin import Plugin
from xds.proxywasm.signatures import ENV_IMPORTS, ONLY_IN, WASI_IMPORTS, WASI_MODULES, Signature

_KINDS = {"i": "i32", "I": "i64"}
_SCRATCH = 1 << 20
_PAUSING = ("headers", "body", "trailers")


def _declared(signature: Signature) -> str:
    parameters = "".join(f" {_KINDS[letter]}" for letter in signature.parameters)
    return f"(param{parameters})" + (" (result i32)" if signature.results else "")


def puppet_module(version: str = "0.2.1", *, malloc: str = "", action: int = 1) -> bytes:
    """The module in one ABI version. `malloc` is a body of its own instead of one that always has memory."""
    imports = [("env", name, s) for name, s in ENV_IMPORTS.items() if version in ONLY_IN.get(name, (version,))]
    imports += [(space, name, s) for space in WASI_MODULES for name, s in WASI_IMPORTS.items()]
    parts = [f'(import "{space}" "{name}" (func {_declared(s)}))' for space, name, s in imports]
    for number, (space, name, signature) in enumerate(imports):
        passed = "".join(f"(local.get {at})" for at in range(len(signature.parameters)))
        export = name if space != "wasi_unstable" else f"unstable_{name}"
        parts.append(f'(func (export "do_{export}") {_declared(signature)} (call {number} {passed}))')
    for direction in ("request", "response"):
        for part in _PAUSING:
            count = 2 if part == "trailers" or (version == "0.1.0" and part == "headers") else 3
            parameters = " i32" * count
            parts.append(
                f'(func (export "proxy_on_{direction}_{part}") (param{parameters}) (result i32) (i32.const {action}))'
            )
    body = malloc or "(global.get $at) (global.set $at (i32.add (global.get $at) (local.get 0)))"
    return bytes(
        wasmtime.wat2wasm(
            "(module\n"
            + "\n".join(parts)
            + f"""
            (memory (export "memory") 64)
            (global $at (mut i32) (i32.const 65536))
            (func (export "malloc") (param i32) (result i32) {body})
            (func (export "proxy_abi_version_{version.replace(".", "_")}"))
            (func (export "proxy_on_new_connection") (param i32) (result i32) (i32.const 0)))"""
        )
    )


class Puppet:
    """Makes host calls in a context, and keeps what the host returned: numbers by `u32`, `u64`, bytes by `given`."""

    def __init__(self, plugin: Plugin, context: int | None = None) -> None:
        self.plugin = plugin
        self.memory = plugin._instance.memory
        self.context = plugin.root if context is None else context
        self.out = 1024

    def do(self, name: str, *arguments: int | bytes) -> int:
        """The status of an import; bytes become address and length."""
        flat: list[int] = []
        at = _SCRATCH
        self.memory.moved()
        for argument in arguments:
            if isinstance(argument, bytes):
                self.memory.write(at, argument)
                flat += [at, len(argument)]
                at += len(argument)
            else:
                flat.append(argument)
        machine = self.plugin.machine
        before, machine.current = machine.current, self.context
        try:
            return self.plugin._instance.call(f"do_{name}", *flat)
        finally:
            machine.current = before

    def call(self, name: str, *arguments: int | bytes) -> int:
        """`do` with two out-parameters behind the arguments, for a value that `given` then returns."""
        self.memory.write(self.out, bytes(16))
        return self.do(name, *arguments, self.out, self.out + 4)

    def given(self) -> bytes:
        """The value that the last `call` returned."""
        return self.memory.read(self.u32(), self.u32(4))

    def u32(self, offset: int = 0) -> int:
        """A number that the host wrote to the out-parameter."""
        return int.from_bytes(self.memory.read(self.out + offset, 4), "little")

    def u64(self) -> int:
        """A long one."""
        return int.from_bytes(self.memory.read(self.out, 8), "little")

    @property
    def state(self) -> Context:
        """The host's side of the context."""
        return self.plugin.machine.contexts[self.context]
