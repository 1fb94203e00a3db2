"""Whether a line's values are such as every database holds, whatever wrote them."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Column, Integer, String

from parlance.core.errors import InvalidRequest
from parlance.store.checks import check_fields, check_name, check_uuid
from parlance.store.porting.line_rows import TABLES
from parlance.store.porting.lines import RowLine
from parlance.store.tables.schema import Id, SubtenantId

SMALL, LARGE = 2**31 - 1, 2**63 - 1


def fault_in(line: RowLine) -> str | None:
    """What can't be kept of it, with its place; None if all can."""
    try:
        check_fields(line)
        for name in line.__struct_fields__:
            value = getattr(line, name)
            if value is not None and (fault := _fault(TABLES[type(line)].c[name], value)) is not None:
                return f"$.{name} {fault}"
    except InvalidRequest as error:
        return "; ".join(f"{field.path} {field.message}" for field in error.fields)
    return None


def _fault(column: Column[object], value: object) -> str | None:
    place = f"$.{column.name}"
    match value:
        case str() if column.type is Id:
            check_uuid(value, place)
        case str() if column.type is SubtenantId or _is_key(column):
            check_name(value, place)
        case str() if isinstance(column.type, String) and len(value) > (column.type.length or len(value)):
            return f"is longer than {column.type.length} characters"
        case bool():
            return None
        case int() if isinstance(column.type, Integer) and not 0 <= value <= _most(column):
            return f"must be from 0 to {_most(column)}"
        case datetime():
            return _fault_of_time(value)
        case _:
            return None
    return None


def _is_key(column: Column[object]) -> bool:
    return (column.table.name, column.name) == ("memories", "key")


def _most(column: Column[object]) -> int:
    return LARGE if isinstance(column.type, BigInteger) else SMALL


def _fault_of_time(value: datetime) -> str | None:
    try:
        value.astimezone(UTC)
    except OverflowError:
        return "is beyond the years that there are"
    return None
