"""Which operation a path means: by its segments as they were sent, each decoded once."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.types import Scope

from parlance.doors.rest.operation import Operation, refuse

REST = "{key}"
"""Stands at the end of a path, for all segments that are left: what is named so may hold slashes."""


class Place(Struct, frozen=True):
    """`literals` and `names` by their position. `operations` by method."""

    segments: tuple[str, ...]
    operations: dict[str, Operation]


class Found(Struct, frozen=True):
    operation: Operation
    names: Mapping[str, str]


class Paths:
    def __init__(self, operations: Sequence[Operation]) -> None:
        self._places: dict[int, list[Place]] = {}
        self._open_ended: list[Place] = []
        places: dict[str, Place] = {}
        for operation in operations:
            place = places.get(operation.path)
            if place is None:
                place = places[operation.path] = Place(tuple(operation.path.split("/")[1:]), {})
                if place.segments[-1] == REST:
                    self._open_ended.append(place)
                else:
                    self._places.setdefault(len(place.segments), []).append(place)
            place.operations[operation.method] = operation

    def find(self, scope: Scope, method: str) -> Found:
        """Raises what Starlette's router raises for a path that is not there, or not for this method."""
        raw = raw_segments(scope)
        place = self._place(raw)
        if place is None:
            raise HTTPException(404)
        operation = place.operations.get("GET" if method == "HEAD" else method)
        if operation is None or (method == "HEAD" and operation.gives is None):
            raise HTTPException(405, headers={"Allow": ", ".join(place.operations)})
        return Found(operation, _names(place, raw))

    def _place(self, raw: Sequence[bytes]) -> Place | None:
        decoded = [unquote_to_bytes(segment) for segment in raw]
        for place in self._places.get(len(raw), ()):
            if _fits(place.segments, decoded):
                return place
        for place in self._open_ended:
            head = place.segments[:-1]
            if len(raw) > len(head) and _fits(head, decoded):
                return place
        return None


def raw_segments(scope: Scope) -> list[bytes]:
    """Behind the place where the door is, without the empty one behind a slash at the end."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    skipped: int = scope.get("root_path", "").count("/")
    segments = path.partition(b"?")[0].split(b"/")[1 + skipped :]
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments


def _fits(wanted: Sequence[str], given: Sequence[bytes]) -> bool:
    return all(
        (segment.startswith("{") and bool(part)) or segment.encode() == part
        for segment, part in zip(wanted, given, strict=False)
    )


def _names(place: Place, raw: Sequence[bytes]) -> dict[str, str]:
    names = {}
    for number, segment in enumerate(place.segments):
        if segment == REST:
            names["key"] = _decode(b"/".join(raw[number:]), "key")
        elif segment.startswith("{"):
            names[segment[1:-1]] = _decode(raw[number], segment[1:-1])
    return names


def _decode(raw: bytes, name: str) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise refuse(name, "It is not UTF-8.") from None
