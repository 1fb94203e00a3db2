"""The kinds of value a setting can have, and the base of every section. Reading sources does not live here."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
)

from parlance.config.yaml_text import parse_yaml

T = TypeVar("T")
V = TypeVar("V")

ID_FORM = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LEVEL_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}


class Section(BaseModel):
    """A frozen group of settings. A key it does not know is an error; no error text holds what was given."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, protected_namespaces=()
    )


def split_list(value: object) -> object:
    """A list may be written as one line: `a, b`, or `[a, b]` where an item holds a comma."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return parse_yaml(value)
    return [item for part in value.split(",") if (item := part.strip())]


class FrozenMap(Mapping[str, V]):
    """A map that nobody can change, and that may therefore be shared instead of copied."""

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)

    def __deepcopy__(self, memo: object) -> "FrozenMap[V]":
        return self


def freeze_map(value: Mapping[str, V]) -> Mapping[str, V]:
    return FrozenMap(value)


def empty_map() -> Mapping[str, V]:
    return FrozenMap({})


def check_address(value: str, schemes: Iterable[str]) -> str:
    """The address without a closing slash; `ValueError` if it is no address of one of `schemes` or holds a secret."""
    if not is_address(value, schemes):
        raise ValueError(f"must be an address that begins with {' or '.join(f'{name}://' for name in schemes)}")
    if "@" in urlsplit(value).netloc:
        raise ValueError("must hold no user name or password; write the secret in its own key")
    return value.rstrip("/")


def is_address(value: str, schemes: Iterable[str]) -> bool:
    try:
        parts = urlsplit(value)
        server = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return server and parts.scheme in schemes and not CONTROL.search(value) and " " not in value


def check_http_address(value: str) -> str:
    return check_address(value, ("http", "https"))


def check_tool_address(value: str) -> str:
    return check_address(value, ("http", "https", "ws", "wss"))


def check_origin(value: str) -> str:
    origin = value.rstrip("/").lower()
    if origin == "*":
        return origin
    parts = urlsplit(check_http_address(origin))
    if parts.path or parts.query or parts.fragment:
        raise ValueError("must be an origin: scheme, host and port only, such as http://localhost:3000")
    return origin


def check_header_secret(secret: SecretStr) -> SecretStr:
    """What travels in a header: a line break there would let one header become two."""
    if any(ord(letter) < 0x20 or ord(letter) > 0x7E for letter in secret.get_secret_value()):
        raise ValueError("must be printable ASCII, without line breaks")
    return secret


def check_id(value: str) -> str:
    if not ID_FORM.fullmatch(value):
        raise ValueError("must be lower-case letters, digits and _, at most 64 of them")
    return value


def read_level(value: object) -> object:
    if not isinstance(value, str):
        return value
    level = value.strip().upper()
    return LEVEL_ALIASES.get(level, level)


Id = Annotated[str, AfterValidator(check_id)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512)]
Seconds = Annotated[float, Field(gt=0, le=604_800)]
Port = Annotated[int, Field(ge=0, le=65_535)]
HttpAddress = Annotated[str, AfterValidator(check_http_address)]
ToolAddress = Annotated[str, AfterValidator(check_tool_address)]
Origin = Annotated[str, AfterValidator(check_origin)]
HeaderSecret = Annotated[SecretStr, AfterValidator(check_header_secret)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(read_level)]
ListOf = Annotated[tuple[T, ...], BeforeValidator(split_list)]
MapOf = Annotated[Mapping[Id, T], AfterValidator(freeze_map), PlainSerializer(dict)]
NamedMapOf = Annotated[Mapping[Name, T], AfterValidator(freeze_map), PlainSerializer(dict)]
