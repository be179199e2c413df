"""The guest's linear memory, read and written by address and never beyond its end.

Any guest call may grow the memory and so move it; the base is therefore asked for at each access. Copies go through
ctypes, which costs a fifth of the library's own slicing.
"""

from __future__ import annotations

import ctypes

import wasmtime

MASK = 0xFFFF_FFFF
"""wasmtime hands over i32 as signed; addresses and sizes are not."""


class OutOfBounds(Exception):
    """An address or size that the guest gave lies outside its memory."""


class GuestMemory:
    """Bounds-checked access to one instance's memory."""

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        self._store = store
        self._memory = memory

    def _address(self, pointer: int, size: int) -> int:
        pointer, size = pointer & MASK, size & MASK
        if pointer + size > self._memory.data_len(self._store):
            raise OutOfBounds(f"{size} bytes at {pointer}")
        base = ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value or 0
        return base + pointer

    def check(self, pointer: int, size: int) -> None:
        """Raises OutOfBounds where not all of it lies inside."""
        self._address(pointer, size)

    def read(self, pointer: int, size: int) -> bytes:
        """`size` bytes from `pointer`. Raises OutOfBounds."""
        return ctypes.string_at(self._address(pointer, size), size & MASK)

    def write(self, pointer: int, data: bytes) -> None:
        """Puts `data` at `pointer`. Raises OutOfBounds before anything is written."""
        ctypes.memmove(self._address(pointer, len(data)), data, len(data))

    def write_u32(self, pointer: int, value: int) -> None:
        """Puts 4 bytes, little endian. Raises OutOfBounds."""
        self.write(pointer, (value & MASK).to_bytes(4, "little"))

    def write_u64(self, pointer: int, value: int) -> None:
        """Puts 8 bytes, little endian. Raises OutOfBounds."""
        self.write(pointer, (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little"))

    def size(self) -> int:
        """Bytes of memory the guest has now."""
        return self._memory.data_len(self._store)
