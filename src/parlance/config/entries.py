"""Values on their way into the tree, each with its source; and the map in which the stronger source wins."""

from collections.abc import Iterable
from typing import Literal, cast

from msgspec import Struct

from parlance.config.schema import KeyPath

SourceKind = Literal["argument", "environment", "dotenv", "file", "default"]


class Source(Struct, frozen=True):
    """`place` is the file's name as the operator knows it; `key` what stands there. `implied`: it follows from that."""

    kind: SourceKind
    key: str = ""
    place: str = ""
    implied: bool = False

    def __str__(self) -> str:
        text = f"{self.place}: {self.key}" if self.place else f"{self.kind} {self.key}".strip()
        return f"follows from {text}" if self.implied else text

    def implying(self) -> "Source":
        return Source(self.kind, self.key, self.place, implied=True)


DEFAULT = Source("default")


class Entry(Struct, frozen=True):
    """One value for one path. `missing`: variables it needs and nobody set. `hidden`: never to be shown."""

    path: KeyPath
    value: object
    source: Source
    missing: tuple[str, ...] = ()
    hidden: bool = False

    def __repr__(self) -> str:
        return f"Entry({'.'.join(self.path)} from {self.source})"

    def at(self, path: KeyPath) -> "Entry":
        """The same value, implied for another path."""
        return Entry(path, self.value, self.source.implying(), self.missing, self.hidden)


class Merged:
    """The strongest entry of each path; a value replaces what stood at, above or below its path."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[KeyPath, Entry] = {}
        for entry in entries:
            self.put(entry)

    def put(self, entry: Entry) -> None:
        rivals = [path for path in self._entries if path != entry.path and overlap(path, entry.path)]
        for path in rivals:
            del self._entries[path]
        self._entries[entry.path] = entry

    def fill(self, entry: Entry) -> None:
        """Put it where nothing is said yet."""
        if not any(overlap(path, entry.path) for path in self._entries):
            self.put(entry)

    def drop(self, path: KeyPath) -> None:
        self._entries.pop(path, None)

    def get(self, *path: str) -> Entry | None:
        return self._entries.get(path)

    def text(self, *path: str) -> str | None:
        entry = self._entries.get(path)
        return entry.value if entry is not None and isinstance(entry.value, str) else None

    def below(self, *path: str) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.path[: len(path)] == path]

    def names_below(self, *path: str) -> list[str]:
        """The ids of the map at `path`, in the order in which they were first set."""
        depth = len(path)
        return list(dict.fromkeys(entry.path[depth] for entry in self.below(*path) if len(entry.path) > depth))

    def nearest(self, path: KeyPath) -> Entry | None:
        """The entry at `path`, else the first below it, else the same for the paths above it."""
        for length in range(len(path), 0, -1):
            found = self._entries.get(path[:length]) or next(iter(self.below(*path[:length])), None)
            if found is not None:
                return found
        return None

    def all(self) -> list[Entry]:
        return list(self._entries.values())

    def tree(self) -> dict[str, object]:
        """The values as nested mappings, ready for validation."""
        root: dict[str, object] = {}
        for entry in self._entries.values():
            place = root
            for name in entry.path[:-1]:
                # A mapping, always: `put` keeps paths from overlapping.
                place = cast(dict[str, object], place.setdefault(name, {}))
            place[entry.path[-1]] = entry.value
        return root


def overlap(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
