"""PostgreSQL as this service uses it: how a connection is made, and what it is told of its limits."""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from parlance.store.addresses import PostgresqlAddress
from parlance.store.connection_faults import check_files, outage_of_driver, outage_while_connecting
from parlance.store.faults import Unusable

STATEMENT = 600
"""Milliseconds for one statement: below the patience for a transaction, so that the server's own reason is heard."""

IDLE = 60_000
"""Milliseconds after which the server ends the transaction of a process that has hung."""

FAREWELL = 0.05
"""Seconds for a connection's polite end."""


class Wire(Protocol):
    """What is used of the driver's connection where the library does not stand between."""

    async def execute(self, query: str) -> str: ...

    async def add_listener(self, channel: str, callback: Callable[[object, int, str, object], None]) -> None: ...

    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...

    def terminate(self) -> None: ...


async def connect(address: PostgresqlAddress) -> Wire:
    """A connection of its own, for listening: it prepares nothing."""
    settings = {"application_name": f"{address.application} (listening)"}
    wire: Wire = await _connect(address, settings, statement_cache_size=0)
    return wire


def open_engine(address: PostgresqlAddress, connections: int) -> AsyncEngine:
    async def make() -> Any:
        settings = {"application_name": address.application}
        if not address.pooled:
            settings["statement_timeout"] = str(STATEMENT)
            settings["idle_in_transaction_session_timeout"] = str(IDLE)
        return await _connect(address, settings, statement_cache_size=address.cached_statements)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": make, "prepared_statement_cache_size": address.cached_statements},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _look(connection: Any, *_: Any) -> None:
        # One that the server has closed meanwhile is found out without asking the server.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """Its transactions see one state of the database, however many statements they have, as SQLite's do."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


async def limit(connection: AsyncConnection, statement: int = STATEMENT) -> None:
    """For this transaction, where what the connection was told at its beginning does not hold. Milliseconds."""
    limits = {"statement": str(statement), "idle": str(IDLE)}
    await connection.execute(_LIMIT, limits)


async def _connect(address: PostgresqlAddress, settings: dict[str, str], *, statement_cache_size: int) -> Any:
    """`Unusable` where more can be said than that it did not work."""
    import asyncpg  # type: ignore[import-untyped]  # it brings no types

    check_files(address)
    try:
        return await asyncpg.connect(
            address.dsn,
            connection_class=_connection_class(),
            statement_cache_size=statement_cache_size,
            server_settings=settings,
            ssl=ssl.create_default_context() if address.system_roots else None,
        )
    except (OSError, asyncpg.PostgresError) as error:
        outage = outage_while_connecting(error)
        if outage is None:
            raise
        raise Unusable(outage) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
        raise Unusable(outage_of_driver(error)) from error


@cache
def _connection_class() -> type:
    import asyncpg

    class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg brings no types
        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the driver's own form
            """Cut, where the other end does not answer: whoever waits for the end is to be told within a second."""
            try:
                await super().close(timeout=FAREWELL)
            except TimeoutError:
                self.terminate()

    return Connection


_LIMIT = text(
    "SELECT set_config('statement_timeout', :statement, true),"
    " set_config('idle_in_transaction_session_timeout', :idle, true)"
)
