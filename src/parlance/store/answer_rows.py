"""Rows of kept answers: how one is named, and how it is written in the transaction of what it tells of."""

from typing import Final, TypeVar

from msgspec import structs
from sqlalchemy import and_, bindparam, delete, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import uuid7
from parlance.core.stores.answers import KeptAnswer, Once
from parlance.core.stores.request_keys import RequestKey
from parlance.store.checks import storable
from parlance.store.claims import in_flight
from parlance.store.tables.answers import answers
from parlance.store.tables.schema import database_seconds

T = TypeVar("T")

Values = dict[str, object]


async def begin_once(connection: AsyncConnection, once: Once[T] | None) -> None:
    """Take its key, first of all in a transaction: others who come with it wait for the end of that, and are told
    `RequestInFlight` then.
    """
    if once is None:
        return
    taking = _TAKE[connection.dialect.name]
    values = {**names_of(once.key), "of_fingerprint": once.key.fingerprint, "of_claim": str(uuid7())}
    if (await connection.execute(taking, values)).first() is None:
        raise in_flight(once.key)


async def end_once(connection: AsyncConnection, once: Once[T] | None, outcome: T, subtenant: str | None) -> None:
    """Keep the answer, which tells of this subtenant, in the transaction that `begin_once` began."""
    if once is not None:
        answer = structs.replace(once.answer(outcome), subtenant=subtenant)
        await connection.execute(KEEP, {**names_of(once.key), **answer_values(answer)})


async def delete_answers(connection: AsyncConnection, subtenant: str) -> None:
    """Behind the deletion of the subtenant itself, in one transaction: so none can be kept in between."""
    mine = or_(answers.c.home == subtenant, answers.c.subtenant_id == subtenant)
    await connection.execute(delete(answers).where(mine))


def names_of(key: RequestKey) -> Values:
    """What must be unique of it, as a database can hold it."""
    return {f"of_{name}": storable(getattr(key, name)) for name in _NAME}


def answer_values(answer: KeptAnswer) -> Values:
    return {"of_status": answer.status, "of_body": answer.body, "of_subtenant": answer.subtenant}


_NAME: Final = ("home", "key_id", "operation", "key")
_COLUMNS: Final = {
    name: bindparam(f"of_{name}", type_=answers.c[name].type) for name in (*_NAME, "fingerprint", "claim")
}
GIVEN: Final = {**_COLUMNS, "claimed_at": database_seconds()}
"""A new row without an answer."""

SAME: Final = and_(*(answers.c[name] == GIVEN[name] for name in _NAME))
KEEP: Final = (
    update(answers)
    .where(SAME)
    .values(
        status=bindparam("of_status", type_=answers.c.status.type),
        body=bindparam("of_body", type_=answers.c.body.type),
        subtenant_id=bindparam("of_subtenant", type_=answers.c.subtenant_id.type),
    )
)
_TAKE: Final = {
    "sqlite": sqlite.insert(answers).values(GIVEN).on_conflict_do_nothing().returning(answers.c.claim),
    "postgresql": postgresql.insert(answers).values(GIVEN).on_conflict_do_nothing().returning(answers.c.claim),
}
