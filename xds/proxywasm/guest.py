"""The door that host calls have to the guest: its memory, and memory asked from it to return values in."""

from __future__ import annotations

from collections.abc import Callable

from xds.proxywasm.abi import Status
from xds.proxywasm.machine import Machine
from xds.proxywasm.memory import GuestMemory, OutOfBounds

HostCall = Callable[..., int | None]
"""Takes the integers of the import's parameters. ``...`` since each import has its own number of them."""


class Guest:
    """Bound to the instance after it was made; host calls before that (a start function) find no memory."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._memory: GuestMemory | None = None
        self._allocate: Callable[[int], int] | None = None

    def bind(self, memory: GuestMemory, allocate: Callable[[int], int]) -> None:
        """Tells where memory is and how the guest gives some; `allocate` takes a size and returns an address or 0."""
        self._memory = memory
        self._allocate = allocate

    def moved(self) -> None:
        """The guest has run, and may have moved its memory."""
        if self._memory is not None:
            self._memory.moved()

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory. Raises OutOfBounds before the instance stands."""
        if self._memory is None:
            raise OutOfBounds("the instance does not stand yet")
        return self._memory

    def read(self, pointer: int, size: int) -> bytes:
        """Bytes of the guest. Raises OutOfBounds."""
        return self.memory.read(pointer, size)

    def give(self, data: bytes, pointer_out: int, size_out: int) -> Status:
        """Returns `data` through two out-parameters, in memory that the guest allocates and then owns."""
        address = 0
        if data:
            address = self._allocate(len(data)) if self._allocate else 0
            if address == 0:
                return Status.INVALID_MEMORY_ACCESS
            self.memory.write(address, data)
        self.memory.write_u32(pointer_out, address)
        self.memory.write_u32(size_out, len(data))
        return Status.OK
