"""What Alembic runs around the revisions. The connection, and the transaction on it, are the caller's."""

from typing import TYPE_CHECKING

from alembic import context

from parlance.store.revisions import VERSIONS
from parlance.store.tables.schema import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection


def run(connection: "Connection") -> None:
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    context.configure(
        connection=connection,
        version_table=VERSIONS,
        version_table_schema=schema,
        transactional_ddl=True,
    )
    context.run_migrations()


run(context.config.attributes["connection"])
