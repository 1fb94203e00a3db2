"""Transactions for as much as a database may hold, and for whoever reads or writes the file slowly."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.store.database import Database

LONG: Final = 86_400.0
"""Seconds."""


def long_reading(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
    return _unhurried(database, database.reading(within=LONG))


def long_writing(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
    return _unhurried(database, database.writing(within=LONG))


@asynccontextmanager
async def _unhurried(
    database: Database, transaction: AbstractAsyncContextManager[AsyncConnection]
) -> AsyncIterator[AsyncConnection]:
    async with transaction as connection:
        if database.kind == "postgresql":
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection
