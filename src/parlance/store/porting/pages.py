"""Rows page by page, so that no table is ever in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.store.rows import Fields

FEW: Final = 16
MOST: Final = 512
"""Rows of a page, at first and at most."""

HEAVY: Final = 2 << 20
"""Bytes of a page from which on the next one is shorter."""


async def read_pages(
    connection: AsyncConnection, wanted: Select[*tuple[object, ...]], order: Sequence[ColumnElement[object]]
) -> AsyncIterator[Fields]:
    """All rows of a select, in the order of columns that together tell each row from all others."""
    ordered = wanted.add_columns(*(column.label(f"place_{number}") for number, column in enumerate(order)))
    page, size = ordered.order_by(*order), FEW
    while True:
        rows = (await connection.execute(page.limit(size))).all()
        for row in rows:
            yield row
        if len(rows) < size:
            return
        page = ordered.order_by(*order).where(tuple_(*order) > tuple(rows[-1][-len(order) :]))
        size = max(1, size // 2) if sum(map(_weight, rows)) > HEAVY else min(2 * size, MOST)


def _weight(row: Fields) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes))


class Walk:
    """Rows of one chat by the position of their turn, which is the last but one of their columns."""

    def __init__(self, rows: AsyncIterator[Fields]) -> None:
        self._rows = rows
        self._next: Fields | None = None

    async def up_to(self, position: float) -> AsyncIterator[Fields]:
        """Those that were not told yet, and belong to no later turn."""
        while True:
            if self._next is None:
                self._next = await anext(self._rows, None)
            if self._next is None or self._next[-2] > position:
                return
            row, self._next = self._next, None
            yield row
