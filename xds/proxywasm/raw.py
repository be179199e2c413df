"""Values across the border of host and guest as the C API has them: 16 bytes each, no types, no objects.

The Python package of wasmtime asks for a function's type and makes an object of every value at each call, which costs
ten times what the call does. Here types are known (`interface` has compared them with the ABI's), so the same C API is
used by its unchecked functions. This is the only module that knows names the package does not promise; the bounds in
pyproject.toml and the tests of this folder hold them together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

import wasmtime
from wasmtime import _ffi as c_api

from xds.proxywasm.signatures import Signature

_Callback: Final = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32), ctypes.c_size_t
)
_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()
_WORDS: Final = 4
"""32-bit words of one value."""

_LONGS: Final = 2
"""64-bit words of one value."""

_REASON: Final = b"the host stopped it"


class ExportedFunction:
    """An export, called with integers. Raises wasmtime's Trap and WasmtimeError. Not to be entered while it runs."""

    def __init__(self, store: wasmtime.Store, function: wasmtime.Func, signature: Signature) -> None:
        self._context = store._context()
        self._function = ctypes.byref(function._func)
        self._kept = store, function
        self._count = max(len(signature.parameters), len(signature.results), 1)
        self._has_result = bool(signature.results)
        self._cells = (c_api.wasmtime_val_raw_t * self._count)()
        self._result = ctypes.c_int32.from_buffer(self._cells)
        self._longs = (ctypes.c_int64 * (_LONGS * self._count)).from_buffer(self._cells)
        self._trap = ctypes.POINTER(c_api.wasm_trap_t)()
        self._trap_out = ctypes.byref(self._trap)

    def __call__(self, *arguments: int) -> int:
        """The result; 0 for a function without one."""
        at = 0
        for argument in arguments:
            self._longs[at] = argument  # of an i32 only the lower half is looked at
            at += _LONGS
        error = c_api.wasmtime_func_call_unchecked(
            self._context, self._function, self._cells, self._count, self._trap_out
        )
        if error:  # type: ignore[truthy-bool]  # a null pointer is false
            raise wasmtime.WasmtimeError._from_ptr(error)
        if self._trap:  # type: ignore[truthy-bool]  # a null pointer is false
            trap, self._trap = self._trap, ctypes.POINTER(c_api.wasm_trap_t)()
            self._trap_out = ctypes.byref(self._trap)
            raise wasmtime.Trap._from_ptr(trap)
        return self._result.value if self._has_result else 0


class HostFunction:
    """A function that a guest imports. What `call` raises goes to `raised`, and the guest is stopped.

    Keep it for as long as the store lives: the guest calls through it.
    """

    def __init__(
        self,
        store: wasmtime.Store,
        kind: wasmtime.FuncType,
        signature: Signature,
        call: Callable[..., int | None],
        raised: Callable[[BaseException], None],
    ) -> None:
        is_wide = "I" in signature.parameters
        offsets = tuple(range(0, _WORDS * len(signature.parameters), _WORDS))
        wide = tuple(letter == "I" for letter in signature.parameters)

        def enter(_environment: object, _caller: object, words: ctypes._Pointer[ctypes.c_int32], _count: int) -> int:
            try:
                if is_wide:
                    arguments = [
                        words[at + 1] << 32 | words[at] & 0xFFFF_FFFF if long else words[at]
                        for at, long in zip(offsets, wide, strict=True)
                    ]
                else:
                    arguments = [words[at] for at in offsets]
                answer = call(*arguments)
                if answer is not None:
                    words[0] = answer
            except BaseException as error:  # noqa: BLE001 - nothing may leave through foreign frames
                raised(error)
                trap = c_api.wasmtime_trap_new(ctypes.create_string_buffer(_REASON), len(_REASON))
                return ctypes.cast(trap, ctypes.c_void_p).value or 0
            return 0

        self._callback = _Callback(enter)
        function = c_api.wasmtime_func_t()
        c_api.wasmtime_func_new_unchecked(
            store._context(),
            kind.ptr(),
            ctypes.cast(self._callback, c_api.wasmtime_func_unchecked_callback_t),
            None,
            _NO_FINALIZER,
            ctypes.byref(function),
        )
        self.function = wasmtime.Func._from_raw(function)


class LinearMemory:
    """Where a guest's memory is and how long. Both may change whenever the guest runs."""

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        self._context = store._context()
        self._memory = ctypes.byref(memory._memory)
        self._kept = store, memory

    def where(self) -> tuple[int, int]:
        """Address and bytes, for now."""
        base = c_api.wasmtime_memory_data(self._context, self._memory)
        return ctypes.cast(base, ctypes.c_void_p).value or 0, c_api.wasmtime_memory_data_size(
            self._context, self._memory
        )
