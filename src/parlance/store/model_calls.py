"""The log of calls of models, in SQL."""

from datetime import datetime
from typing import Final

from msgspec import structs
from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.stores import Page, Reach
from parlance.core.stores.model_calls import CallFilter, ModelCall, UsageTotal
from parlance.core.usage import Usage
from parlance.store.checks import is_name, is_storable, is_uuid, storable_call
from parlance.store.database import Database
from parlance.store.rows import Fields, among, padded
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.subtenants import subtenants

_USAGE = Usage.__struct_fields__
_PLAIN = tuple(name for name in ModelCall.__struct_fields__ if name != "usage")
_COLUMNS = tuple(model_calls.c[name] for name in (*_PLAIN, *_USAGE))
LONG = 10.0
"""Seconds that a transaction may take that looks at a month of calls."""

FORGOTTEN_AT_ONCE = 5_000
"""Rows of one transaction, so that others who write don't wait for long."""


class SqlModelCalls:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, calls: tuple[ModelCall, ...]) -> int:
        async with self._database.writing() as connection:
            owners = await _hold_owners(connection, {call.subtenant_id for call in calls})
            there = await _known_ids(connection, {call.id for call in calls})
            new = {call.id: call for call in calls if call.subtenant_id in owners and call.id not in there}
            if new:
                await connection.execute(insert(model_calls), [_encode_call(call) for call in new.values()])
        return sum(call.subtenant_id not in owners for call in calls)

    async def list(self, wanted: CallFilter, page: Page, reach: Reach) -> tuple[ModelCall, ...]:
        conditions = _conditions(wanted, reach)
        if conditions is None:
            return ()
        newest = select(*_COLUMNS).where(*conditions).order_by(model_calls.c.seq.desc())
        async with self._database.reading() as connection:
            found = await connection.execute(newest.offset(page.skip).limit(page.limit))
            return tuple(map(_decode_call, found.all()))

    async def totals(self, wanted: CallFilter, reach: Reach) -> tuple[UsageTotal, ...]:
        conditions = _conditions(wanted, reach)
        if conditions is None:
            return ()
        names = (model_calls.c.provider, model_calls.c.model)
        sums = (
            func.count(),
            func.count().filter(model_calls.c.outcome == "failed"),
            func.coalesce(func.sum(model_calls.c.input), 0),
            func.coalesce(func.sum(model_calls.c.output), 0),
            func.coalesce(func.sum(model_calls.c.cost), 0.0),
            func.count().filter(model_calls.c.cost.is_(None)),
        )
        async with self._database.reading(within=LONG) as connection:
            found = await connection.execute(select(*names, *sums).where(*conditions).group_by(*names))
            # Databases differ in how they order texts.
            return tuple(sorted(map(_decode_total, found), key=lambda total: (total.provider, total.model)))

    async def forget(self, before: datetime) -> int:
        old = select(model_calls.c.seq).where(model_calls.c.created_at < before).limit(FORGOTTEN_AT_ONCE)
        forgotten, last = 0, FORGOTTEN_AT_ONCE
        while last == FORGOTTEN_AT_ONCE:
            async with self._database.writing(within=LONG) as connection:
                last = (await connection.execute(delete(model_calls).where(model_calls.c.seq.in_(old)))).rowcount
            forgotten += last
        return forgotten


async def _hold_owners(connection: AsyncConnection, ids: set[str]) -> set[str]:
    """Those of the subtenants that are there, and stay until the transaction's end."""
    return set((await connection.execute(_OWNERS, {"ids": padded(filter(is_name, ids))})).scalars())


async def _known_ids(connection: AsyncConnection, ids: set[str]) -> set[str]:
    """Those that were added before, by somebody who did not hear of it and tries again."""
    return set((await connection.execute(_THERE, {"ids": padded(ids)})).scalars())


def _conditions(wanted: CallFilter, reach: Reach) -> tuple[ColumnElement[bool], ...] | None:
    """None where nothing can fit."""
    texts = (wanted.subtenant, wanted.provider, wanted.model)
    ids = (wanted.chat, wanted.turn)
    if not all(text is None or is_storable(text) for text in texts) or not all(id is None or is_uuid(id) for id in ids):
        return None
    asked = (
        (model_calls.c.subtenant_id, reach),
        (model_calls.c.subtenant_id, wanted.subtenant),
        (model_calls.c.chat_id, wanted.chat),
        (model_calls.c.turn_id, wanted.turn),
        (model_calls.c.provider, wanted.provider),
        (model_calls.c.model, wanted.model),
    )
    conditions = [column == wish for column, wish in asked if wish is not None]
    if wanted.since is not None:
        conditions.append(model_calls.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(model_calls.c.created_at < wanted.until)
    return tuple(conditions)


def _encode_call(call: ModelCall) -> dict[str, object]:
    call = storable_call(call)
    values = structs.asdict(call)
    del values["usage"]
    usage = dict.fromkeys(_USAGE) if call.usage is None else structs.asdict(call.usage)
    return {**values, **usage}


def _decode_call(row: Fields) -> ModelCall:
    plain, usage = row[: len(_PLAIN)], row[len(_PLAIN) :]
    said = dict(zip(_USAGE, usage, strict=True))
    values = dict(zip(_PLAIN, plain, strict=True))
    return ModelCall(**values, usage=None if said["estimated"] is None else Usage(**said))


def _decode_total(row: Fields) -> UsageTotal:
    provider, model, calls, failed, tokens_in, tokens_out, cost, unpriced = row
    return UsageTotal(
        provider=provider,
        model=model,
        calls=calls,
        failed=failed,
        input=int(tokens_in),
        output=int(tokens_out),
        cost=cost,
        unpriced=unpriced,
    )


_OWNERS: Final = (
    select(subtenants.c.id)
    .where(among(subtenants.c.id))
    .order_by(subtenants.c.id)
    .with_for_update(read=True, key_share=True)
)
_THERE: Final = select(model_calls.c.id).where(among(model_calls.c.id))
