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

_POINTER: Final = ctypes.c_void_p
_SIZE: Final = ctypes.c_size_t
_WORDS: Final = 4
"""32-bit words of one value."""

_LONGS: Final = 2
"""64-bit words of one value."""

# Declared anew, because the package's own declarations make an object of each pointer on its way.
_call: Final = ctypes.CFUNCTYPE(_POINTER, _POINTER, _POINTER, _POINTER, _SIZE, _POINTER)(
    ("wasmtime_func_call_unchecked", c_api.dll)
)
_set_deadline: Final = ctypes.CFUNCTYPE(None, _POINTER, ctypes.c_uint64)(
    ("wasmtime_context_set_epoch_deadline", c_api.dll)
)
_memory_data: Final = ctypes.CFUNCTYPE(_POINTER, _POINTER, _POINTER)(("wasmtime_memory_data", c_api.dll))
_memory_size: Final = ctypes.CFUNCTYPE(_SIZE, _POINTER, _POINTER)(("wasmtime_memory_data_size", c_api.dll))
_new_trap: Final = ctypes.CFUNCTYPE(_SIZE, ctypes.c_char_p, _SIZE)(("wasmtime_trap_new", c_api.dll))

_Callback: Final = ctypes.CFUNCTYPE(_SIZE, _POINTER, _POINTER, ctypes.POINTER(ctypes.c_int32), _SIZE)
_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, _POINTER)()
_REASON: Final = b"the host stopped it"


def _address_of(store: wasmtime.Store) -> int:
    """The store's context, which is where everything of it is."""
    return ctypes.cast(store._context(), _POINTER).value or 0


class Deadline:
    """Until when a store's guest may run: so many epochs from the moment of `begin`."""

    def __init__(self, store: wasmtime.Store, ticks: int) -> None:
        self._context = _address_of(store)
        self._kept = store
        self._ticks = ticks

    def begin(self) -> None:
        """The time of one call begins."""
        _set_deadline(self._context, self._ticks)


class ExportedFunction:
    """An export, called with integers. Raises wasmtime's Trap and WasmtimeError. Not to be entered while it runs."""

    def __init__(self, store: wasmtime.Store, function: wasmtime.Func, signature: Signature) -> None:
        self._kept = store, function
        self._count = max(len(signature.parameters), len(signature.results), 1)
        self._has_result = bool(signature.results)
        self._longs = (ctypes.c_int64 * (_LONGS * self._count))()
        self._result = ctypes.c_int32.from_buffer(self._longs)
        self._trap = ctypes.c_void_p()
        self._where = (
            _address_of(store),
            ctypes.addressof(function._func),
            ctypes.addressof(self._longs),
            self._count,
            ctypes.addressof(self._trap),
        )

    def __call__(self, *arguments: int) -> int:
        """The result; 0 for a function without one."""
        at = 0
        for argument in arguments:
            self._longs[at] = argument  # of an i32 only the lower half is looked at
            at += _LONGS
        error = _call(*self._where)
        if error:
            raise wasmtime.WasmtimeError._from_ptr(ctypes.cast(error, ctypes.POINTER(c_api.wasmtime_error_t)))
        if self._trap.value:
            trap = ctypes.cast(self._trap.value, ctypes.POINTER(c_api.wasm_trap_t))
            self._trap.value = None
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
                return int(_new_trap(_REASON, len(_REASON)))
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
        self._kept = store, memory
        self._context = _address_of(store)
        self._memory = ctypes.addressof(memory._memory)

    def where(self) -> tuple[int, int]:
        """Address and bytes, for now."""
        return _memory_data(self._context, self._memory) or 0, _memory_size(self._context, self._memory)
