"""The turns' logs: each row holds the events `first` to `last` of a turn, numbered under `epoch`.

`events` is JSON: an array of events as `core.events` encodes them, while `lost` is None. A row that was trimmed has
in `lost` the last number that is gone, and in `events` an array of [number, event] of what is left.
"""

from sqlalchemy import Column, LargeBinary, String, Table

from parlance.store.tables.schema import Number, metadata, of_turn

pieces = Table(
    "pieces",
    metadata,
    of_turn(primary_key=True),
    Column("first", Number, primary_key=True, autoincrement=False),
    Column("last", Number, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("lost", Number),
    Column("events", LargeBinary, nullable=False),
)
