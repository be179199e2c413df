"""Disks of a test's own that fail: no room, read-only under open files, a flush that does not keep what was written.

Where the test may mount, they are file systems that really fail. Elsewhere the kernel refuses the system calls of one
thread, the store's writer, which is all that a program sees of such a disk; that thread stays so until it ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from xds.control.ports import Store
from xds.store.sqlite import SqliteStore

CALLS: Final = {"x86_64": {"pwrite64": 18, "fsync": 74, "fdatasync": 75}}.get(
    os.uname().machine, {"pwrite64": 68, "fsync": 82, "fdatasync": 83}
)
"""Numbers of system calls here; the others are those of every newer architecture (asm-generic/unistd.h)."""
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
ALLOW, ERROR = 0x7FFF0000, 0x00050000


class SmallDisk:
    """A folder with little room, and more of it later: a file system of half a mebibyte, or a limit on file sizes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = _mount("-t", "tmpfs", "-o", "size=512k", "fairlead-test", folder)
        if not self.is_mounted:  # the kernel's limit on a file's size says no at the same place
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

    def grow(self) -> None:
        """Let there be room."""
        if self.is_mounted:
            subprocess.check_call(["mount", "-o", "remount,size=64m", self.folder])
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Take it away."""
        if self.is_mounted:
            subprocess.check_call(["umount", "-l", self.folder])
        else:
            self.grow()


class ReadOnlyDisk:
    """An ext4 that meets an error in itself and turns read-only under open files, as `errors=remount-ro` has it."""

    def __init__(self, folder: Path) -> None:
        self._image = folder / "image"
        self.folder = folder / "disk"
        self.folder.mkdir()
        self.is_mounted = _made("ext4", self._image, 8) and self._mount()

    def fail(self, store: Store) -> None:
        """Refuse every write from now on."""
        if not self.is_mounted:
            _refuse(store, {"pwrite64": errno.EROFS})
            return
        mounts = Path("/proc/mounts").read_text().splitlines()
        device = next(line.split()[0] for line in mounts if f" {self.folder} " in line)
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")

    def repair(self) -> None:
        """Check it and mount it again; nobody may have a file open there."""
        if self.is_mounted:
            subprocess.check_call(["umount", self.folder])
            checked = subprocess.run(["e2fsck", "-fp", self._image], check=False, stdout=subprocess.DEVNULL)
            assert checked.returncode <= 1, "errors, if any, were corrected"
            assert self._mount()

    def close(self) -> None:
        """Take it away."""
        if self.is_mounted:
            subprocess.check_call(["umount", "-l", self.folder])

    def _mount(self) -> bool:
        return _mount("-o", "loop,errors=remount-ro", self._image, self.folder)


class LossyDisk:
    """A disk that promised more room than there is: it takes what is written, and loses it when that is flushed.

    Once there is room, flushes succeed again, and say nothing of what was lost before.
    """

    def __init__(self, folder: Path) -> None:
        self._below = folder / "below"
        self.folder = folder / "disk"
        self._below.mkdir()
        self.folder.mkdir()
        self._image, self._filler = self._below / "image", self._below / "filler"
        self._is_below = _mount("-t", "tmpfs", "-o", "size=2m", "fairlead-test", self._below)
        self.is_mounted = self._is_below and _made("ext2", self._image, 32) and self._mount()

    def fail(self, store: Store) -> None:
        """Keep nothing new from now on."""
        if not self.is_mounted:
            _refuse(store, {"fsync": errno.EIO, "fdatasync": errno.EIO})
            return
        os.sync()
        room = os.statvfs(self._below)
        self._filler.write_bytes(bytes(room.f_bavail * room.f_bsize))

    def heal(self) -> None:
        """Let there be room; a flush of something new is kept then."""
        if self.is_mounted:
            self._filler.unlink()
            with (self.folder / "proof").open("wb") as file:
                file.write(bytes(100_000))
                file.flush()
                os.fsync(file.fileno())

    def forget(self) -> None:
        """Lose what only the kernel's memory has; nobody may have a file open there."""
        if self.is_mounted:
            subprocess.check_call(["umount", self.folder])
            assert self._mount()

    def close(self) -> None:
        """Take it away."""
        if self.is_mounted:
            subprocess.check_call(["umount", "-l", self.folder])
        if self._is_below:
            subprocess.check_call(["umount", "-l", self._below])

    def _mount(self) -> bool:
        return _mount("-o", "loop,errors=continue", self._image, self.folder)


def _mount(*words: str | Path) -> bool:
    return not subprocess.call(["mount", *words], stderr=subprocess.DEVNULL)


def _made(kind: str, image: Path, mebibytes: int) -> bool:
    """Make a file system in a file of holes; False where the program for it is missing."""
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    try:
        return not subprocess.call([f"mkfs.{kind}", "-q", "-F", image], stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return False


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _refuse(store: Store, errors: Mapping[str, int]) -> None:
    """Answer these system calls of the store's writer with these errors (seccomp, which asks for no privilege)."""
    steps = [(0x20, 0, 0, 0)]  # load the call's number
    for call, error in errors.items():
        steps += [(0x15, 0, 1, CALLS[call]), (0x06, 0, 0, ERROR | error)]  # if it is this one: that error
    steps.append((0x06, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p))

    def install() -> None:
        kernel = ctypes.CDLL(None, use_errno=True)
        for words in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program), 0, 0)):
            if kernel.prctl(*words):
                raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")

    assert isinstance(store, SqliteStore)
    store._writer.submit(install).result()
