"""wasmtime's C interface, where its Python binding costs too much: calls in either direction, and where memory lies.

The binding looks up a function's type and wraps each value at every call, which made up most of a request's time. Here
the types are known (`interface` has checked them), values are whole numbers in cells, and an exception of a host call
is kept for this store alone. Only these few calls; everything else goes through the binding.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi

from xds.proxywasm.signatures import Signature

_MASK: Final = 0xFFFF_FFFF
_Cells = ctypes.POINTER(ctypes.c_int64)
_Callback = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, _Cells, ctypes.c_size_t)
_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()
_WORDS: Final = ctypes.sizeof(ffi.wasmtime_val_raw_t) // 8
"""A value takes two words; whole numbers are in the first."""


def _c_function(name: str, result: type | None, *arguments: type) -> Callable[..., int]:
    """A C function of the library that takes addresses as numbers, apart from the binding's own object for it."""
    function = ffi.dll[name]
    function.restype, function.argtypes = result, arguments
    made: Callable[..., int] = function
    return made


_address, _size = ctypes.c_void_p, ctypes.c_size_t
_CALL: Final = _c_function("wasmtime_func_call_unchecked", _address, _address, _address, _address, _size, _address)
_SET_DEADLINE: Final = _c_function("wasmtime_context_set_epoch_deadline", None, _address, ctypes.c_uint64)
_MEMORY_DATA: Final = _c_function("wasmtime_memory_data", _address, _address, _address)
_MEMORY_SIZE: Final = _c_function("wasmtime_memory_data_size", _size, _address, _address)


class NativeStore:
    """The calls on one store. Keep it as long as the instance: it holds what the C side points to."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self._context = ctypes.cast(store._context(), ctypes.c_void_p).value
        self._kept: list[object] = []
        self._raised: BaseException | None = None

    def set_deadline(self, ticks: int) -> None:
        """Epochs from now after which the guest is interrupted."""
        _SET_DEADLINE(self._context, ticks)

    def guest_function(self, function: wasmtime.Func, signature: Signature) -> Callable[..., int]:
        """A function of the guest as a callable: whole numbers in, its result as an unsigned i32 or 0 out.

        It raises what a host call raised below it, else wasmtime.Trap or WasmtimeError.
        """
        self._kept.append(function)
        cells = (ctypes.c_int64 * (_WORDS * max(len(signature.parameters), 1)))()
        trap = ctypes.c_void_p()
        context, target = self._context, ctypes.addressof(function._func)
        arguments_at, trap_at, count = ctypes.addressof(cells), ctypes.addressof(trap), len(cells) // _WORDS
        self._kept += [cells, trap]
        has_result = bool(signature.results)

        def call(*arguments: int) -> int:
            for at, value in enumerate(arguments):
                cells[at * _WORDS] = value
            trap.value = None
            error = _CALL(context, target, arguments_at, count, trap_at)
            if error or trap.value:
                self._fail(error, trap.value)
            return cells[0] & _MASK if has_result else 0

        return call

    def _fail(self, error: int | None, trap: int | None) -> None:
        """Raises what a call ended in, and leaves nothing behind."""
        raised, self._raised = self._raised, None
        if error:
            failure: Exception = wasmtime.WasmtimeError._from_ptr(
                ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
            )
        else:
            failure = wasmtime.Trap._from_ptr(ctypes.cast(trap or 0, ctypes.POINTER(ffi.wasm_trap_t)))
        if raised is not None:
            raise raised
        raise failure

    def host_function(
        self, kind: wasmtime.FuncType, signature: Signature, call: Callable[..., int | None]
    ) -> wasmtime.Func:
        """`call` as a function that the guest may import: i32 arrive unsigned, i64 signed."""
        wide = "I" in signature.parameters
        places = range(0, _WORDS * len(signature.parameters), _WORDS)
        masks = [_MASK if letter == "i" else -1 for letter in signature.parameters]

        def callback(_environment: int, _caller: int, cells: ctypes.Array[ctypes.c_int64], _count: int) -> int:
            try:
                if wide:
                    result = call(*[cells[at] & mask for at, mask in zip(places, masks, strict=True)])
                else:
                    result = call(*[cells[at] & _MASK for at in places])
                if result is not None:
                    cells[0] = result
            except BaseException as error:  # noqa: BLE001 - C has no exceptions: it goes on where the guest was called
                self._raised = error
                trap = wasmtime.Trap("a host call failed")._consume()
                return ctypes.cast(trap, ctypes.c_void_p).value or 0
            return 0

        pointer = _Callback(callback)
        self._kept.append(pointer)
        made = ffi.wasmtime_func_t()
        ffi.wasmtime_func_new_unchecked(
            self._store._context(), kind.ptr(), ctypes.cast(pointer, ffi.wasmtime_func_unchecked_callback_t),
            None, _NO_FINALIZER, ctypes.byref(made),
        )  # fmt: skip
        return wasmtime.Func._from_raw(made)

    def memory(self, memory: wasmtime.Memory) -> tuple[Callable[[], int], Callable[[], int]]:
        """Where a memory begins and how many bytes it has, asked for at each call: growing moves it."""
        self._kept.append(memory)
        context, target = self._context, ctypes.addressof(memory._memory)
        return lambda: _MEMORY_DATA(context, target), lambda: _MEMORY_SIZE(context, target)
