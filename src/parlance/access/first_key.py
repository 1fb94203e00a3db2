"""The key that a server beyond loopback makes for itself at its first start. The data folder keeps its hash only."""

import contextlib
import os
import tempfile
from pathlib import Path

from msgspec import Struct

from parlance.access.keys import hash_key, make_key
from parlance.access.options import ConfiguredKey

FILE_NAME = "first_key"


class FirstKey(Struct, frozen=True):
    """`plain` is the key itself, at the start that made it and never again: print it once, and log it never."""

    entry: ConfiguredKey
    plain: str | None = None

    def __repr__(self) -> str:
        return f"FirstKey(entry={self.entry!r})"


def ensure_first_key(folder: Path) -> FirstKey:
    """The `admin` key of this data folder, made when there is none yet.

    `OSError` when the folder can't be used; `ValueError` when the file in it holds something else.
    """
    path = folder / FILE_NAME
    if path.exists():
        return FirstKey(_read(path))
    plain = make_key()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _write_new(path, hash_key(plain) + "\n"):
        return FirstKey(_read(path))
    return FirstKey(_read(path), plain)


def _read(path: Path) -> ConfiguredKey:
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not text.startswith("sha256:") or len(text) != len("sha256:") + 64:
        raise ValueError(f"{path} does not hold the hash of a key; delete it, and the next start makes a new key.")
    return ConfiguredKey(id="first", key=text, scope="admin")


def _write_new(path: Path, text: str) -> bool:
    """Whether the file is ours: whole or not there at all, whoever reads it and whatever dies in between."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two servers that start at once, the second must not replace what the first printed.
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    return True
