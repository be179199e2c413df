"""The part of WASI that filters built by the known SDKs ask for: no files, no arguments, no environment.

Standard output and error become log lines. Numbers are WASI's own errors (`errno` of preview 1).
"""

from __future__ import annotations

import struct
from typing import Final

from xds.proxywasm.abi import LogLevel
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK

OK: Final = 0
BADF: Final = 8
INVAL: Final = 28
NOSYS: Final = 52
NOTSUP: Final = 58
MOST_RANDOM: Final = 64 * 1024
MOST_VECTORS: Final = 1_024
OUTPUTS: Final = {1: LogLevel.INFO, 2: LogLevel.ERROR}
CLOCKS: Final = (0, 1)
"""Real time and monotonic time; both are wall time here."""


class GuestExited(Exception):
    """The guest called `proc_exit`: its machine is finished."""


class WasiCalls:
    """The calls, named as the imports."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def fd_write(self, fd: int, vectors: int, count: int, written_out: int) -> int:
        """Logs what goes to standard output or error."""
        if fd not in OUTPUTS:
            return BADF
        if not 0 <= count <= MOST_VECTORS:
            return INVAL
        listed = struct.iter_unpack("<II", self._guest.read(vectors, 8 * count))
        text = b"".join(self._guest.read(pointer, size) for pointer, size in listed)
        self._guest.machine.say(OUTPUTS[fd], text.rstrip(b"\n"))
        self._guest.memory.write_u32(written_out, len(text))
        return OK

    def clock_time_get(self, clock: int, _precision: int, out: int) -> int:
        """Nanoseconds."""
        if clock not in CLOCKS:
            return NOTSUP
        self._guest.memory.write_u64(out, self._guest.machine.now_ns())
        return OK

    def random_get(self, pointer: int, size: int) -> int:
        """Random bytes from the machine's source."""
        if size & MASK > MOST_RANDOM:
            return INVAL
        self._guest.memory.write(pointer, self._guest.machine.random(size & MASK))
        return OK

    def environ_sizes_get(self, count_out: int, size_out: int) -> int:
        """There are none."""
        self._guest.memory.write_u32(count_out, 0)
        self._guest.memory.write_u32(size_out, 0)
        return OK

    args_sizes_get = environ_sizes_get

    def environ_get(self, _pointers: int, _buffer: int) -> int:
        """Nothing to write."""
        return OK

    args_get = environ_get

    def proc_exit(self, code: int) -> None:
        """Ends the machine. Raises GuestExited."""
        raise GuestExited(f"it called proc_exit({code & MASK})")

    def sched_yield(self) -> int:
        """There is one thread."""
        return OK

    def poll_oneoff(self, _subscriptions: int, _events: int, _count: int, happened_out: int) -> int:
        """Nothing ever happens; Go's runtime needs that to be said without an error."""
        self._guest.memory.write_u32(happened_out, 0)
        return OK

    def fd_fdstat_get(self, fd: int, out: int) -> int:
        """Standard output and error are character devices, nothing else is open."""
        if fd not in OUTPUTS:
            return BADF
        self._guest.memory.write(out, struct.pack("<BxHxxxxQQ", 2, 0, 0, 0))
        return OK

    def fd_prestat_get(self, _fd: int, _out: int) -> int:
        """No folder is open."""
        return BADF

    def fd_close(self, _fd: int) -> int:
        """Not served."""
        return NOSYS

    def fd_read(self, *_: int) -> int:
        """Not served."""
        return NOSYS

    fd_seek = fd_read
    fd_fdstat_set_flags = fd_prestat_dir_name = fd_read
