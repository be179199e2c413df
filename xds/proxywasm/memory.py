"""The guest's linear memory, read and written by address and never beyond its end.

Any guest call may grow the memory and so move it; the base is therefore asked for at each access. Copies go through
ctypes, which costs a fifth of the library's own slicing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

MASK = 0xFFFF_FFFF
"""wasmtime hands over i32 as signed; addresses and sizes are not."""


class OutOfBounds(Exception):
    """An address or size that the guest gave lies outside its memory."""


class GuestMemory:
    """Bounds-checked access to one instance's memory. `base` is where it lies now, `size` its bytes now."""

    def __init__(self, base: Callable[[], int], size: Callable[[], int]) -> None:
        self._base = base
        self.size = size

    def _address(self, pointer: int, size: int) -> int:
        pointer, size = pointer & MASK, size & MASK
        if pointer + size > self.size():
            raise OutOfBounds(f"{size} bytes at {pointer}")
        return self._base() + pointer

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
