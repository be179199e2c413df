"""WASI as a filter finds it in a proxy: clocks, randomness, an environment; no files, sockets or arguments.

Standard output and error become log lines. Numbers are WASI's own errors (`errno` of preview 1). What only links is
named in `signatures.WASI_ABSENT`.
"""

from __future__ import annotations

import struct
from typing import Final

from xds.proxywasm.abi import LogLevel
from xds.proxywasm.failures import Stopped
from xds.proxywasm.guest import Guest
from xds.proxywasm.machine import LONGEST_LOG_LINE
from xds.proxywasm.memory import MASK

OK: Final = 0
BADF: Final = 8
INVAL: Final = 28
ABSENT: Final = 52
NOTSUP: Final = 58
FAULT: Final = 21
CHARACTER_DEVICE: Final = 2
RIGHT_TO_WRITE: Final = 1 << 6
MOST_RANDOM: Final = 64 * 1024
MOST_VECTORS: Final = 1_024
OUTPUTS: Final = {1: LogLevel.INFO, 2: LogLevel.ERROR}
CLOCKS: Final = (0, 1)
"""Real time and monotonic time; both are wall time here."""


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
        text, written = bytearray(), 0
        for pointer, size in listed:
            self._guest.memory.check(pointer, size)
            text += self._guest.read(pointer, min(size, LONGEST_LOG_LINE - len(text)))
            written += size
        if written > MASK:
            return INVAL
        self._guest.memory.write_u32(written_out, written)
        self._guest.machine.say(OUTPUTS[fd], bytes(text).rstrip(b"\n"))
        return OK

    def clock_time_get(self, clock: int, _precision: int, out: int) -> int:
        """Nanoseconds."""
        if clock not in CLOCKS:
            return NOTSUP
        self._guest.memory.write_u64(out, self._guest.machine.host.now_ns())
        return OK

    def clock_res_get(self, clock: int, out: int) -> int:
        """Both clocks count nanoseconds."""
        if clock not in CLOCKS:
            return NOTSUP
        self._guest.memory.write_u64(out, 1)
        return OK

    def random_get(self, pointer: int, size: int) -> int:
        """Random bytes from the machine's source."""
        if size & MASK > MOST_RANDOM:
            return INVAL
        self._guest.memory.write(pointer, self._guest.machine.host.random(size & MASK))
        return OK

    def _environment(self) -> list[bytes]:
        return [f"{name}={value}".encode() + b"\0" for name, value in self._guest.machine.host.environment.items()]

    def environ_sizes_get(self, count_out: int, size_out: int) -> int:
        """How many variables, and their bytes."""
        variables = self._environment()
        self._guest.memory.write_u32(count_out, len(variables))
        self._guest.memory.write_u32(size_out, sum(map(len, variables)))
        return OK

    def environ_get(self, pointers: int, buffer: int) -> int:
        """The variables, as `NAME=value` with a zero byte, and where each begins."""
        for at, variable in enumerate(self._environment()):
            self._guest.memory.write_u32((pointers & MASK) + 4 * at, buffer & MASK)
            self._guest.memory.write(buffer, variable)
            buffer = (buffer & MASK) + len(variable)
        return OK

    def args_sizes_get(self, count_out: int, size_out: int) -> int:
        """There are none."""
        self._guest.memory.write_u32(count_out, 0)
        self._guest.memory.write_u32(size_out, 0)
        return OK

    def args_get(self, _pointers: int, _buffer: int) -> int:
        """Nothing to write."""
        return OK

    def proc_exit(self, code: int) -> None:
        """Ends the machine. Raises Stopped."""
        raise Stopped(f"it called proc_exit({code & MASK})")

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
        self._guest.memory.write(out, struct.pack("<BxHxxxxQQ", CHARACTER_DEVICE, 0, RIGHT_TO_WRITE, 0))
        return OK

    def fd_prestat_get(self, _fd: int, _out: int) -> int:
        """No folder is open."""
        return BADF

    def fd_close(self, fd: int) -> int:
        """Output stays open; nothing else is."""
        return OK if fd in OUTPUTS else BADF
