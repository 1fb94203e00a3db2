"""What processes have to say to the one that runs a turn, until it has heard it.

`said` is JSON: `core.stores.turns.Word`, encoded.
"""

from sqlalchemy import Column, Index, LargeBinary, Table

from parlance.store.tables.schema import Id, metadata, moment, numbered, of_turn

words = Table(
    "words",
    metadata,
    numbered(),
    of_turn(),
    Column("owner", Id, nullable=False),
    Column("said", LargeBinary, nullable=False),
    moment("created_at"),
    Index(None, "owner", "seq"),
    Index(None, "turn_id"),
)
