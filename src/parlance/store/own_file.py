"""Sees to it that a SQLite database is this process's alone, and lies where its locks can be relied on."""

import errno
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from parlance.store.refusal import DatabaseRefused
from parlance.store.sqlite import OLDEST, sqlite_version

if sys.platform != "win32":
    import fcntl

NETWORK = frozenset(
    "9p afs ceph cifs davfs fuse.davfs2 fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs gfs2 glusterfs gpfs lustre "
    "ncpfs nfs nfs4 ocfs2 smb2 smb3 smbfs".split()
)
"""File systems whose files other machines may have open too, and whose locks may not reach those."""

LEAST_ROOM = 1_048_576
"""Bytes on the disk without which nothing can be kept."""

MOUNTS = Path("/proc/self/mounts")


class FileLock(Struct, frozen=True):
    """Held until `release`, or until the process ends in whatever way."""

    handle: int

    def release(self) -> None:
        os.close(self.handle)


def take(file: Path, mounts: Path = MOUNTS) -> FileLock:
    """The lock on this database file; its folder is made if it is not there. `DatabaseRefused`."""
    _check_version()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_file_system(file.parent.resolve(), mounts)
        lock = _lock(file)
        # What is stored is nobody else's to read; the files that SQLite puts beside it get the same rights.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _refusal(file, error) from None
    return lock


def look(file: Path, mounts: Path = MOUNTS) -> None:
    """`DatabaseRefused` where a start would fail, as far as that can be seen. Nothing is made, opened or changed."""
    _check_version()
    folder = next(above for above in file.absolute().parents if above.exists())
    beside = [file.with_name(f"{file.name}{ending}") for ending in ("", "-wal", "-shm", ".lock")]
    _check_file_system(folder.resolve(), mounts)
    try:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        for path in (folder, *filter(Path.exists, beside)):
            if not os.access(path, os.R_OK | os.W_OK):
                number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
                raise OSError(number, os.strerror(number), str(path))
        if shutil.disk_usage(folder).free < LEAST_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    except OSError as error:
        raise _refusal(file, error) from None


def _check_version() -> None:
    if (version := sqlite_version()) < OLDEST:
        raise DatabaseRefused(
            f"SQLite is {_dotted(version)} here, and Parlance needs {_dotted(OLDEST)} or newer. Use a newer Python, or "
            "name a PostgreSQL in DATABASE_URL."
        )


def _refusal(file: Path, error: OSError) -> DatabaseRefused:
    place = error.filename or file
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            advice = "Make room there"
        case errno.EROFS:
            advice = "Make what it lies on writable"
        case errno.EISDIR | errno.ENOTDIR | errno.EEXIST:
            advice = "Move away what is in its place"
        case _:
            advice = "Give this process leave to write there"
    return DatabaseRefused(
        f"The database {file} can't be opened: {place}: {error.strerror or error}. {advice}, or name another folder in "
        "PARLANCE_DATA."
    )


def _lock(file: Path) -> FileLock:
    lock = file.with_name(f"{file.name}.lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip()
        os.close(handle)
        raise DatabaseRefused(
            f"The database {file} is in use by another Parlance{f', process {holder}' if holder else ''}. Stop that "
            "one, or give this one a folder of its own in PARLANCE_DATA. Several on one database need PostgreSQL: "
            "name it in DATABASE_URL."
        ) from None
    except OSError:
        os.close(handle)
        raise
    # For whoever comes second to know; the lock holds without it, too.
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    return FileLock(handle)


def _check_file_system(folder: Path, mounts: Path) -> None:
    kind = file_system(folder, mounts)
    if kind in NETWORK:
        raise DatabaseRefused(
            f"{folder} lies on a network file system ({kind}), where SQLite loses data. Name a folder of this machine "
            "in PARLANCE_DATA, or a PostgreSQL in DATABASE_URL."
        )


def file_system(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of file system that a folder lies on; None where the system does not tell."""
    try:
        rows = [line.split() for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    # The deepest mount point above the folder; of several at the same place, the one that was mounted last.
    above = [(Path(_unescape(row[1])), row[2]) for row in rows if len(row) > 2]
    holding = [(len(point.parts), place, kind) for place, (point, kind) in enumerate(above) if _holds(point, folder)]
    return max(holding)[2] if holding else None


def _holds(point: Path, folder: Path) -> bool:
    return folder == point or point in folder.parents


def _unescape(text: str) -> str:
    """The kernel writes blanks in paths as octal numbers."""
    for octal, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, letter)
    return text


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
