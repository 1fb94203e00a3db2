"""What a user of PostgreSQL may do, and what somebody has to grant it before it can be used here."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SHOWN = 3
"""Tables that a message names."""


class Rights(Struct, frozen=True):
    """`user` and `owner` as they are written in SQL. `owner` None: there is no schema of ours. `closed`: tables in it
    that this user may not read or not change.
    """

    user: str
    standby: bool
    read_only: bool
    may_make_schema: bool
    owner: str | None
    may_use: bool
    may_make_tables: bool
    closed: Sequence[str]


async def read_rights(connection: AsyncConnection) -> Rights | None:
    """None on SQLite, where nothing but its file can be lacking."""
    if connection.dialect.name != "postgresql":
        return None
    row = (await connection.execute(_RIGHTS)).one()
    return Rights(*row)


def lacking(rights: Rights) -> str | None:
    """What keeps it from being used, in words that go behind the database's name."""
    user, owner = rights.user, rights.owner
    if rights.standby:
        return (
            "is a standby, which can only be read. Name the primary in its address, or all servers, and "
            "target_session_attrs=read-write"
        )
    if rights.read_only:
        return (
            "is read-only: its default_transaction_read_only is on. Turn that off for this user and this database, or "
            "name a server that may be written"
        )
    if owner is None and not rights.may_make_schema:
        return (
            f"has no schema parlance, and its user {user} may not make one. As who may, say there: "
            f"CREATE SCHEMA parlance AUTHORIZATION {user}"
        )
    if owner is not None and not rights.may_use:
        return (
            f"has a schema parlance of {owner}, which its user {user} may not use. Say there: "
            f"GRANT USAGE, CREATE ON SCHEMA parlance TO {user}"
        )
    if rights.closed:
        named = ", ".join(rights.closed[:SHOWN])
        more = f" and {len(rights.closed) - SHOWN} more" if len(rights.closed) > SHOWN else ""
        return (
            f"does not let its user {user} read and change its tables {named}{more}. Say there: "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA parlance TO {user}"
        )
    return None


def lacking_for_tables(rights: Rights) -> str | None:
    """What keeps it from making them."""
    if rights.owner is None or rights.may_make_tables:
        return None
    return (
        f"has a schema parlance of {rights.owner}, in which its user {rights.user} may make no tables. Say there: "
        f"GRANT CREATE ON SCHEMA parlance TO {rights.user}, or run `parlance migrate up` as {rights.owner}"
    )


_RIGHTS: Final = text(
    """
    SELECT quote_ident(current_user), pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',
        has_database_privilege(current_database(), 'CREATE'), quote_ident(pg_get_userbyid(ours.nspowner)),
        coalesce(has_schema_privilege(ours.oid, 'USAGE'), false),
        coalesce(has_schema_privilege(ours.oid, 'CREATE'), false),
        array(
            SELECT relname::text FROM pg_class
            WHERE relnamespace = ours.oid AND relkind IN ('r', 'p') AND NOT (
                has_table_privilege(pg_class.oid, 'SELECT') AND (
                    relname = 'revisions' OR (
                        has_table_privilege(pg_class.oid, 'INSERT') AND has_table_privilege(pg_class.oid, 'UPDATE')
                        AND has_table_privilege(pg_class.oid, 'DELETE')
                    )
                )
            ) ORDER BY relname
        )
    FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS ours ON ours.nspname = 'parlance'
    """
)
