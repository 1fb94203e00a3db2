"""Questions about the settings tree itself: which paths exist, which are secret, what a mistyped name meant."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import SecretStr

from parlance.config.sections.fields import Section
from parlance.config.settings import Settings

KeyPath = tuple[str, ...]
ANY = "*"


def unwrap(annotation: object) -> object:
    """The type behind `Annotated` and `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return unwrap(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return unwrap(next(kind for kind in get_args(annotation) if kind is not type(None)))
    return annotation


def section_of(annotation: object) -> type[Section] | None:
    kind = unwrap(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def is_map(annotation: object) -> bool:
    origin = get_origin(unwrap(annotation))
    return isinstance(origin, type) and issubclass(origin, Mapping)


def annotation_at(path: KeyPath) -> object | None:
    """The type at `path`, or None where the tree has no such place."""
    found: object = Settings
    for name in path:
        section = section_of(found)
        if section is not None:
            field = section.model_fields.get(name)
            if field is None:
                return None
            found = field.annotation
        elif is_map(found):
            found = get_args(unwrap(found))[1]
        else:
            return None
    return found


def is_known(path: KeyPath) -> bool:
    return annotation_at(path) is not None


def is_group(path: KeyPath) -> bool:
    """Whether keys stand below `path`, rather than one value."""
    annotation = annotation_at(path)
    return section_of(annotation) is not None or is_map(annotation)


def is_secret(path: KeyPath) -> bool:
    return unwrap(annotation_at(path)) is SecretStr


def default_at(path: KeyPath) -> object:
    """What holds when nobody sets `path`; None if nothing does."""
    section = section_of(annotation_at(path[:-1]))
    field = section.model_fields.get(path[-1]) if section is not None else None
    return None if field is None or field.is_required() else field.default


def known_paths(annotation: object = Settings, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path of a value, with `*` for the ids of maps."""
    section = section_of(annotation)
    if section is not None:
        for name, field in section.model_fields.items():
            yield from known_paths(field.annotation, (*above, name))
    elif is_map(annotation):
        yield from known_paths(get_args(unwrap(annotation))[1], (*above, ANY))
    else:
        yield above


def nearest_path(path: KeyPath) -> KeyPath | None:
    """The path that a mistyped or misplaced one most likely meant."""
    meant: KeyPath = ()
    for name in path:
        close = name if is_known((*meant, name)) else nearest_name(name, names_at(meant))
        if close is None:
            return same_name_elsewhere(path[-1])
        meant = (*meant, close)
    return meant


def names_at(path: KeyPath) -> tuple[str, ...]:
    section = section_of(annotation_at(path))
    return () if section is None else tuple(section.model_fields)


def same_name_elsewhere(name: str) -> KeyPath | None:
    """The one path outside of maps that ends in `name`, if there is exactly one."""
    found = [path for path in known_paths() if path[-1] == name and ANY not in path]
    return found[0] if len(found) == 1 else None


def nearest_name(name: str, candidates: Iterable[str]) -> str | None:
    close = get_close_matches(name, list(candidates), n=1, cutoff=0.7)
    return close[0] if close else None
