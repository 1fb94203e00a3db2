"""Stored turns. Their events are `pieces`.

`head`: the number of the newest event that is kept. `principal`, `usage` and `fault` are JSON as `core` encodes it.
`asked` is what the turn was accepted with, for whoever takes it up again. `trimmed_at`: when openings and growth were
dropped from its log. `former_epochs` is JSON: an array of [number, epoch], up to which number it bore which before.
"""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from parlance.store.tables.schema import Id, Number, SubtenantId, identified, metadata, moment, numbered, of_chat

turns = Table(
    "turns",
    metadata,
    numbered(),
    identified(),
    of_chat(),
    # It goes with its chat, which goes with its subtenant.
    Column("subtenant_id", SubtenantId, nullable=False),
    Column("position", Integer, nullable=False),
    Column("owner", Id, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("former_epochs", LargeBinary),
    Column("head", Number, nullable=False),
    Column("principal", LargeBinary, nullable=False),
    Column("door", String(64), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("asked", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("finish", String(16)),
    Column("usage", LargeBinary),
    Column("fault", LargeBinary),
    moment("accepted_at"),
    moment("ended_at", nullable=True),
    moment("trimmed_at", nullable=True),
    UniqueConstraint("chat_id", "position"),
)

# Few turns are open at any time: what is asked about those looks at no other.
open_turns = turns.c.ended_at.is_(None)
Index("ix_turns_open_chat_id", turns.c.chat_id, postgresql_where=open_turns, sqlite_where=open_turns)
Index("ix_turns_open_owner", turns.c.owner, postgresql_where=open_turns, sqlite_where=open_turns)
Index("ix_turns_open_subtenant_id", turns.c.subtenant_id, postgresql_where=open_turns, sqlite_where=open_turns)

# A cursor names its epoch alone.
Index("ix_turns_epoch", turns.c.epoch)
renumbered_turns = turns.c.former_epochs.is_not(None)
Index("ix_turns_renumbered_chat_id", turns.c.chat_id, postgresql_where=renumbered_turns, sqlite_where=renumbered_turns)

untrimmed_turns = turns.c.trimmed_at.is_(None)
Index("ix_turns_untrimmed_ended_at", turns.c.ended_at, postgresql_where=untrimmed_turns, sqlite_where=untrimmed_turns)
