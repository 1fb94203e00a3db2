"""PostgreSQL as this service uses it."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from parlance.store.addresses import PostgresqlAddress

STATEMENT = 600
"""Milliseconds for one statement: below the patience for a transaction, so that the server's own reason is heard."""

IDLE = 60_000
"""Milliseconds after which the server ends the transaction of a process that has hung."""

FAREWELL = 0.05
"""Seconds for a connection's polite end."""


def open_engine(address: PostgresqlAddress, connections: int) -> AsyncEngine:
    import asyncpg  # type: ignore[import-untyped]  # it brings no types

    class Connection(asyncpg.Connection):  # type: ignore[misc]  # for the same reason
        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the driver's own form
            """Cut, where the other end does not answer: whoever waits for the end is to be told within a second."""
            try:
                await super().close(timeout=FAREWELL)
            except TimeoutError:
                self.terminate()

    async def connect() -> Any:
        return await asyncpg.connect(
            address.dsn,
            connection_class=Connection,
            statement_cache_size=address.cached_statements,
            server_settings={
                "application_name": address.application,
                "statement_timeout": str(STATEMENT),
                "idle_in_transaction_session_timeout": str(IDLE),
            },
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": connect, "prepared_statement_cache_size": address.cached_statements},
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
