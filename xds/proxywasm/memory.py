"""The guest's linear memory, read and written by address and never beyond its end.

The guest may grow its memory, and so move it, whenever it runs: whoever lets it run says so by `moved`, and place and
size are asked for again at the next access.
"""

from __future__ import annotations

import ctypes

import wasmtime

from xds.proxywasm.raw import LinearMemory

MASK = 0xFFFF_FFFF
"""wasmtime hands over i32 as signed; addresses and sizes are not."""


class OutOfBounds(Exception):
    """An address or size that the guest gave lies outside its memory."""


class GuestMemory:
    """Bounds-checked access to one instance's memory."""

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        self._memory = LinearMemory(store, memory)
        self._base, self._size = self._memory.where()
        self._is_known = True

    def moved(self) -> None:
        """The guest has run."""
        self._is_known = False

    def _address(self, pointer: int, size: int) -> int:
        if not self._is_known:
            self._base, self._size = self._memory.where()
            self._is_known = True
        pointer &= MASK
        if pointer + (size & MASK) > self._size:
            raise OutOfBounds(f"{size & MASK} bytes at {pointer}")
        return self._base + pointer

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
        return self._memory.where()[1]
