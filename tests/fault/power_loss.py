"""A layer under the SQLite of this process, whose files lose at a power failure what was written and not synced.

Of that each sector may have reached the disk or not. It reaches into the library that Python's own module uses; where
that one can't be reached, nothing can be shown.
"""

import ctypes
import os
import random
import signal
import sqlite3
import threading
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from itertools import pairwise
from pathlib import Path

SECTOR = 512
LIBRARY = "libsqlite3.so.0"
LEFT = ".left"
"""Behind the name of a file: what is on the disk of it after a loss of power."""

_METHODS = (
    "close read write truncate sync size lock unlock reserved control sector device shm_map shm_lock shm_barrier "
    "shm_unmap fetch unfetch"
).split()


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = [("version", c_int), *((name, c_void_p) for name in _METHODS)]


class _File(ctypes.Structure):
    """What every `sqlite3_file` begins with."""

    _fields_ = [("methods", POINTER(_Methods))]


class _System(ctypes.Structure):
    """The beginning of `sqlite3_vfs`."""

    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("path_size", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
    ]


_OPEN = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)

Change = tuple[int, bytes] | int
"""Bytes at a place, or the size to which a file was cut."""


class _Disk:
    """A file: what is on the disk for certain, and what has changed since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Before anybody has it open: to close it later would be to give up this process's locks on it.
        self.certain = bytearray(path.read_bytes() if path.exists() else b"")
        self.pending: list[Change] = []

    def sync(self) -> None:
        for change in self.pending:
            self._apply(change)
        self.pending.clear()

    def fail(self, dice: random.Random) -> None:
        share = dice.choice((0.0, 0.5, 0.9))
        for change in self.pending:
            for one in [change] if isinstance(change, int) else _sectors(*change):
                if dice.random() < share:
                    self._apply(one)
        # Beside it: others of this process may read the file at this moment.
        self.path.with_name(self.path.name + LEFT).write_bytes(self.certain)

    def _apply(self, change: Change) -> None:
        if isinstance(change, int):
            del self.certain[change:]
            return
        place, data = change
        self.certain.extend(bytes(max(0, place - len(self.certain))))
        self.certain[place : place + len(data)] = data


def _sectors(place: int, data: bytes) -> list[Change]:
    cuts = [0, *range(SECTOR - place % SECTOR, len(data), SECTOR), len(data)]
    return [(place + begin, data[begin:end]) for begin, end in pairwise(cuts)]


class PowerLoss:
    """From when it is made until `off`, every file that SQLite opens by a name. `files`: how many it has seen."""

    def __init__(self) -> None:
        library = ctypes.CDLL(LIBRARY)
        library.sqlite3_vfs_find.restype = POINTER(_System)
        self._system = library.sqlite3_vfs_find(None).contents
        self._before = self._system.open, self._system.delete
        self._lock = threading.RLock()
        self._dice: random.Random
        self._left = {"write": 0, "sync": 0}
        self._disks: dict[str, _Disk] = {}
        self._open_files: dict[int, _Disk] = {}
        # What C calls must not be collected.
        self._tables: dict[int, _Methods] = {}
        self._calls: list[object] = []
        opens, deletes = _OPEN(self._opens), _DELETE(self._deletes)
        self._calls += [opens, deletes]
        self._system.open = ctypes.cast(opens, c_void_p).value
        self._system.delete = ctypes.cast(deletes, c_void_p).value

    @property
    def files(self) -> int:
        return len(self._disks)

    def off(self) -> None:
        """What is open stays under it."""
        self._system.open, self._system.delete = self._before

    def strike_amid(self, dice: random.Random) -> None:
        """Later, at a write or at a sync, which is not done any more."""
        self._dice = dice
        what = dice.choice(("write", "sync"))
        self._left[what] = dice.randint(1, 4_000 if what == "write" else 60)

    def strike(self, dice: random.Random) -> None:
        """The end of this process. Who is left has to call `lose_unsynced`."""
        self._lock.acquire()
        for disk in self._disks.values():
            disk.fail(dice)
        os.kill(os.getpid(), signal.SIGKILL)

    def _count(self, what: str) -> None:
        if self._left[what]:
            self._left[what] -= 1
            if not self._left[what]:
                self.strike(self._dice)

    def _opens(self, system: int, name: bytes | None, file: int, flags: int, told: int) -> int:
        path = os.fsdecode(name) if name is not None else ""
        if path and path not in self._disks:
            self._disks[path] = _Disk(Path(path))
        status = int(_OPEN(self._before[0])(system, name, file, flags, told))
        self._open_files.pop(file, None)
        if status == 0 and path:
            self._open_files[file] = self._disks[path]
            self._watch(ctypes.cast(file, POINTER(_File)).contents)
        return status

    def _deletes(self, system: int, name: bytes, synced: int) -> int:
        with self._lock:
            self._disks.pop(os.fsdecode(name), None)
            return int(_DELETE(self._before[1])(system, name, synced))

    def _watch(self, file: _File) -> None:
        original = ctypes.addressof(file.methods.contents)
        if original not in self._tables:
            self._tables[original] = self._table(file.methods.contents)
        file.methods = ctypes.pointer(self._tables[original])

    def _table(self, before: _Methods) -> _Methods:
        write, cut, sync = _WRITE(before.write), _TRUNCATE(before.truncate), _SYNC(before.sync)

        def writes(file: int, data: int, size: int, place: int) -> int:
            with self._lock:
                self._count("write")
                self._open_files[file].pending.append((place, ctypes.string_at(data, size)))
                return int(write(file, data, size, place))

        def cuts(file: int, size: int) -> int:
            with self._lock:
                self._open_files[file].pending.append(size)
                return int(cut(file, size))

        def syncs(file: int, flags: int) -> int:
            with self._lock:
                self._count("sync")
                status = int(sync(file, flags))
                self._open_files[file].sync()
                return status

        table = _Methods.from_buffer_copy(before)
        for name, call in (("write", _WRITE(writes)), ("truncate", _TRUNCATE(cuts)), ("sync", _SYNC(syncs))):
            self._calls.append(call)
            setattr(table, name, ctypes.cast(call, c_void_p).value)
        return table


def lose_unsynced(file: Path) -> None:
    """Once a process that was struck is gone: of this database there is what its disk had."""
    for left in file.parent.glob(f"{file.name}*{LEFT}"):
        left.rename(left.with_name(left.name.removesuffix(LEFT)))
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)


def can_be_shown(folder: Path) -> bool:
    """Whether the library that is reached is the one that Python uses."""
    try:
        layer = PowerLoss()
    except (OSError, AttributeError):
        return False
    try:
        sqlite3.connect(folder / "seen.db").execute("CREATE TABLE seen (it)").connection.close()
    finally:
        layer.off()
    return layer.files > 0
