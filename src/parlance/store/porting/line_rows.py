"""Lines as rows of tables, both ways."""

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw
from sqlalchemy import ColumnElement, LargeBinary, Table, type_coerce
from sqlalchemy.types import NullType, TypeEngine

from parlance.store.porting.lines import (
    NOTHING,
    AssistantLine,
    ChatLine,
    MemoryLine,
    MessageLine,
    ModelCallLine,
    PieceLine,
    RowLine,
    SubtenantLine,
    TurnLine,
)
from parlance.store.rows import Fields
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.memories import memories
from parlance.store.tables.messages import messages
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.pieces import pieces
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns

T = TypeVar("T", bound=RowLine)

TABLES: Final[dict[type[RowLine], Table]] = {
    SubtenantLine: subtenants,
    AssistantLine: assistants,
    MemoryLine: memories,
    ChatLine: chats,
    TurnLine: turns,
    PieceLine: pieces,
    MessageLine: messages,
    ModelCallLine: model_calls,
}
"""Each behind those that it refers to: the order in which rows can be inserted."""

_encode: Final = msgspec.json.Encoder().encode
_AS_IT_IS: Final[TypeEngine[Any]] = NullType()


def columns_of(kind: type[RowLine]) -> tuple[ColumnElement[object], ...]:
    """What `decode_row` takes. What is JSON in bytes is told as it stands there."""
    return tuple(_column(TABLES[kind], name) for name in kind.__struct_fields__)


def decode_row(kind: type[T], row: Fields) -> T:
    """A row that begins with `columns_of`."""
    table = TABLES[kind]
    names = kind.__struct_fields__
    return kind(**{name: _told(table, name, value) for name, value in zip(names, row, strict=False)})


def encode_row(line: RowLine) -> dict[str, object]:
    """The values of a new row, as far as its line has them."""
    table = TABLES[type(line)]
    return {name: _kept(table, name, getattr(line, name)) for name in line.__struct_fields__}


def _column(table: Table, name: str) -> ColumnElement[object]:
    column: ColumnElement[object] = table.c[name]
    return type_coerce(column, _AS_IT_IS).label(name) if _is_encoded(table, name) else column


def _is_encoded(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, LargeBinary)


def _told(table: Table, name: str, value: object) -> object:
    if not _is_encoded(table, name):
        return value
    match value:
        case None:
            return None
        case bytes():
            return Raw(value) if value else NOTHING
        case _:
            raise TypeError(f"{table.name}.{name} should be bytes, and is {type(value).__name__}")


def _kept(table: Table, name: str, value: object) -> object:
    if value is None or not _is_encoded(table, name):
        return value
    if isinstance(value, Raw):
        encoded = bytes(value)
        return b"" if encoded == bytes(NOTHING) else encoded
    return _encode(value)
