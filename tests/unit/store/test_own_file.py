"""A SQLite database belongs to one process, on a disk of its machine."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parlance.store import own_file
from parlance.store.own_file import file_system, look, take
from parlance.store.refusal import DatabaseRefused

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/export {folder}/far nfs4 rw 0 0
//server/share {folder}/with\\040blank cifs rw 0 0
tmpfs {folder}/far/near tmpfs rw 0 0
"""

TAKE = """
import sys
from pathlib import Path
from parlance.store.own_file import take
take(Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """Where not even root may write, if there is a way to have one."""
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here, and root may write everywhere")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mounts"
    file.write_text(MOUNTS.format(folder=tmp_path))
    return file


@pytest.mark.requirement("database:sqlite:alone")
def test_a_second_taker_is_told_who_has_it_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "new" / "parlance.db"
    lock = take(file)
    with pytest.raises(DatabaseRefused, match=f"in use by another Parlance, process {os.getpid()}.*PARLANCE_DATA"):
        take(file)
    lock.release()
    take(file).release()


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "parlance.db"
    command = [sys.executable, "-c", TAKE, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(DatabaseRefused, match=f"process {other.pid}"):
            take(file)
        other.kill()
    take(file).release()


@pytest.mark.parametrize(
    ("place", "kind"),
    [("far", "nfs4"), ("far/deeper", "nfs4"), ("far/near", "tmpfs"), ("with blank", "cifs"), ("farther", "ext4")],
)
def test_the_deepest_mount_point_tells_the_file_system(place: str, kind: str, tmp_path: Path, mounts: Path) -> None:
    assert file_system(tmp_path / place, mounts) == kind


@pytest.mark.requirement("database:sqlite:network")
def test_a_network_file_system_is_refused(tmp_path: Path, mounts: Path) -> None:
    with pytest.raises(DatabaseRefused, match=r"network file system \(nfs4\), where SQLite loses data"):
        take(tmp_path / "far" / "parlance.db", mounts)
    take(tmp_path / "far" / "near" / "parlance.db", mounts).release()


def test_where_the_system_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    take(tmp_path / "parlance.db", tmp_path / "none").release()


def test_a_sqlite_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_file, "sqlite_version", lambda: (3, 34, 1))
    with pytest.raises(DatabaseRefused, match=r"SQLite is 3\.34\.1 here, and Parlance needs 3\.35\.0"):
        take(tmp_path / "parlance.db")


@pytest.mark.parametrize("ask", [take, look])
@pytest.mark.requirement("database:sqlite:unusable")
def test_a_folder_that_can_t_be_made_is_told_of(ask: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseRefused, match=r"can't be opened: .* Move away what is in its place, .*PARLANCE_DATA"):
        ask(tmp_path / "file" / "parlance.db")


@pytest.mark.parametrize("ask", [take, look])
def test_a_folder_in_the_file_s_place_is_told_of(ask: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "parlance.db").mkdir()
    with pytest.raises(DatabaseRefused, match=r"Is a directory\. Move away what is in its place"):
        ask(tmp_path / "parlance.db")


@pytest.mark.parametrize("ask", [take, look])
@pytest.mark.requirement("database:sqlite:unusable")
def test_a_folder_that_can_t_be_written_is_told_of(ask: Callable[[Path], object], read_only_folder: Path) -> None:
    with pytest.raises(DatabaseRefused, match=r"can't be opened: .*(Read-only file system|denied)\..* or name another"):
        ask(read_only_folder / "new" / "parlance.db")


def test_to_look_makes_nothing_and_leaves_a_lock_alone(tmp_path: Path) -> None:
    look(tmp_path / "new" / "parlance.db")
    assert not (tmp_path / "new").exists()
    lock = take(tmp_path / "parlance.db")
    look(tmp_path / "parlance.db")
    with pytest.raises(DatabaseRefused, match="in use by another"):
        take(tmp_path / "parlance.db")
    lock.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_each_reason_has_its_advice(number: int, tmp_path: Path) -> None:
    told = own_file._refusal(tmp_path / "parlance.db", OSError(number, os.strerror(number))).message
    assert os.strerror(number) in told
    advised = {errno.EROFS: "lies on writable", errno.EACCES: "leave to write"}.get(number, "Make room")
    assert advised in told
