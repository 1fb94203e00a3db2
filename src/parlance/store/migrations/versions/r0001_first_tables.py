"""The first tables."""

from collections.abc import Sequence
from typing import TypedDict

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SCHEMA = "parlance"
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
NAME = sa.String(255)
BYTE_ORDERED = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
WORD = sa.String(16)
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON()
JSON_TEXT = sa.JSON().with_variant(sa.Text(), "sqlite")

TABLES = (
    "subtenants",
    "assistants",
    "chats",
    "memories",
    "turns",
    "messages",
    "pieces",
    "request_keys",
    "answers",
    "model_calls",
    "words",
    "leases",
)
"""Each behind those that it refers to."""


class Where(TypedDict):
    postgresql_where: sa.TextClause
    sqlite_where: sa.TextClause


def where(condition: sa.TextClause) -> Where:
    return {"postgresql_where": condition, "sqlite_where": condition}


def upgrade() -> None:
    _make_subtenants()
    _make_assistants()
    _make_chats()
    _make_memories()
    _make_turns()
    _make_messages()
    _make_pieces()
    _make_request_keys()
    _make_answers()
    _make_model_calls()
    _make_words()
    _make_leases()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table, schema=SCHEMA)


def _make_subtenants() -> None:
    op.create_table(
        "subtenants",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", NAME, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_subtenants"),
        sa.UniqueConstraint("id", name="uq_subtenants_id"),
        schema=SCHEMA,
    )


def _make_assistants() -> None:
    op.create_table(
        "assistants",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("subtenant_id", NAME),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("system_prompt", sa.Text),
        sa.Column("enabled_functions", JSON),
        sa.Column("enabled_mcp_tools", JSON),
        sa.Column("function_parameters", JSON, nullable=False),
        sa.Column("mcp_tool_parameters", JSON, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["subtenant_id"], [f"{SCHEMA}.subtenants.id"], name="fk_assistants_subtenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_assistants"),
        sa.UniqueConstraint("id", name="uq_assistants_id"),
        schema=SCHEMA,
    )
    op.create_index("ix_assistants_subtenant_id_seq", "assistants", ["subtenant_id", "seq"], schema=SCHEMA)


def _make_chats() -> None:
    op.create_table(
        "chats",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("subtenant_id", NAME, nullable=False),
        sa.Column("assistant_id", ID),
        sa.Column("title", sa.Text),
        sa.Column("system_message", sa.Text),
        sa.Column("enabled_functions", JSON),
        sa.Column("enabled_mcp_tools", JSON),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"], [f"{SCHEMA}.assistants.id"], name="fk_chats_assistant_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["subtenant_id"], [f"{SCHEMA}.subtenants.id"], name="fk_chats_subtenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_chats"),
        sa.UniqueConstraint("id", name="uq_chats_id"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_chats_assistant_id", "chats", ["assistant_id"], schema=SCHEMA, **where(sa.text("assistant_id IS NOT NULL"))
    )
    op.create_index("ix_chats_subtenant_id_seq", "chats", ["subtenant_id", "seq"], schema=SCHEMA)


def _make_memories() -> None:
    op.create_table(
        "memories",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("subtenant_id", NAME, nullable=False),
        sa.Column("key", BYTE_ORDERED, nullable=False),
        sa.Column("value", JSON_TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["subtenant_id"], [f"{SCHEMA}.subtenants.id"], name="fk_memories_subtenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_memories"),
        sa.UniqueConstraint("id", name="uq_memories_id"),
        sa.UniqueConstraint("subtenant_id", "key", name="uq_memories_subtenant_id_key"),
        schema=SCHEMA,
    )
    op.create_index("ix_memories_subtenant_id_seq", "memories", ["subtenant_id", "seq"], schema=SCHEMA)


def _make_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("chat_id", ID, nullable=False),
        sa.Column("subtenant_id", NAME, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("owner", ID, nullable=False),
        sa.Column("epoch", sa.String(32), nullable=False),
        sa.Column("former_epochs", sa.LargeBinary),
        sa.Column("head", NUMBER, nullable=False),
        sa.Column("principal", sa.LargeBinary, nullable=False),
        sa.Column("door", sa.String(64), nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("asked", sa.LargeBinary, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("finish", WORD),
        sa.Column("usage", sa.LargeBinary),
        sa.Column("fault", sa.LargeBinary),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("trimmed_at", MOMENT),
        sa.ForeignKeyConstraint(["chat_id"], [f"{SCHEMA}.chats.id"], name="fk_turns_chat_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_turns"),
        sa.UniqueConstraint("chat_id", "position", name="uq_turns_chat_id_position"),
        sa.UniqueConstraint("id", name="uq_turns_id"),
        schema=SCHEMA,
    )
    op.create_index("ix_turns_open_chat_id", "turns", ["chat_id"], schema=SCHEMA, **where(sa.text("ended_at IS NULL")))
    op.create_index("ix_turns_open_owner", "turns", ["owner"], schema=SCHEMA, **where(sa.text("ended_at IS NULL")))
    op.create_index(
        "ix_turns_open_subtenant_id", "turns", ["subtenant_id"], schema=SCHEMA, **where(sa.text("ended_at IS NULL"))
    )
    op.create_index("ix_turns_epoch", "turns", ["epoch"], schema=SCHEMA)
    op.create_index(
        "ix_turns_renumbered_chat_id",
        "turns",
        ["chat_id"],
        schema=SCHEMA,
        **where(sa.text("former_epochs IS NOT NULL")),
    )
    op.create_index(
        "ix_turns_untrimmed_ended_at", "turns", ["ended_at"], schema=SCHEMA, **where(sa.text("trimmed_at IS NULL"))
    )


def _make_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("chat_id", ID, nullable=False),
        sa.Column("turn_id", ID),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("parts", sa.LargeBinary, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("family", sa.Text),
        sa.Column("finish", WORD),
        sa.Column("usage", sa.LargeBinary),
        sa.Column("enabled_functions", JSON),
        sa.Column("enabled_mcp_tools", JSON),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], [f"{SCHEMA}.chats.id"], name="fk_messages_chat_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_messages"),
        sa.UniqueConstraint("id", name="uq_messages_id"),
        schema=SCHEMA,
    )
    op.create_index("ix_messages_chat_id_position_seq", "messages", ["chat_id", "position", "seq"], schema=SCHEMA)


def _make_pieces() -> None:
    op.create_table(
        "pieces",
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("first", NUMBER, autoincrement=False, nullable=False),
        sa.Column("last", NUMBER, nullable=False),
        sa.Column("epoch", sa.String(32), nullable=False),
        sa.Column("lost", NUMBER),
        sa.Column("events", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], [f"{SCHEMA}.turns.id"], name="fk_pieces_turn_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", "first", name="pk_pieces"),
        schema=SCHEMA,
    )


def _make_request_keys() -> None:
    op.create_table(
        "request_keys",
        sa.Column("home", NAME, nullable=False),
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("operation", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"], [f"{SCHEMA}.turns.id"], name="fk_request_keys_turn_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("home", "key_id", "operation", "key", name="pk_request_keys"),
        schema=SCHEMA,
    )
    op.create_index("ix_request_keys_created_at", "request_keys", ["created_at"], schema=SCHEMA)
    op.create_index("ix_request_keys_turn_id", "request_keys", ["turn_id"], schema=SCHEMA)


def _make_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("home", NAME, nullable=False),
        sa.Column("key_id", NAME, nullable=False),
        sa.Column("operation", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("claim", ID, nullable=False),
        sa.Column("claimed_at", sa.Double, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("subtenant_id", NAME),
        sa.PrimaryKeyConstraint("home", "key_id", "operation", "key", name="pk_answers"),
        schema=SCHEMA,
    )
    op.create_index("ix_answers_claimed_at", "answers", ["claimed_at"], schema=SCHEMA)
    op.create_index("ix_answers_subtenant_id", "answers", ["subtenant_id"], schema=SCHEMA)


def _make_model_calls() -> None:
    op.create_table(
        "model_calls",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("subtenant_id", NAME, nullable=False),
        sa.Column("chat_id", ID),
        sa.Column("turn_id", ID),
        sa.Column("request_id", sa.Text),
        sa.Column("door", sa.String(64), nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("error", sa.String(64)),
        sa.Column("upstream_id", sa.Text),
        sa.Column("input", NUMBER),
        sa.Column("output", NUMBER),
        sa.Column("cached", NUMBER),
        sa.Column("cache_written", NUMBER),
        sa.Column("reasoning", NUMBER),
        sa.Column("estimated", sa.Boolean),
        sa.Column("cost", sa.Double),
        sa.Column("first", sa.Double),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["subtenant_id"], [f"{SCHEMA}.subtenants.id"], name="fk_model_calls_subtenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_model_calls"),
        sa.UniqueConstraint("id", name="uq_model_calls_id"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_model_calls_chat_id_seq",
        "model_calls",
        ["chat_id", "seq"],
        schema=SCHEMA,
        **where(sa.text("chat_id IS NOT NULL")),
    )
    op.create_index("ix_model_calls_created_at", "model_calls", ["created_at"], schema=SCHEMA)
    op.create_index("ix_model_calls_subtenant_id_seq", "model_calls", ["subtenant_id", "seq"], schema=SCHEMA)
    op.create_index(
        "ix_model_calls_turn_id", "model_calls", ["turn_id"], schema=SCHEMA, **where(sa.text("turn_id IS NOT NULL"))
    )


def _make_words() -> None:
    op.create_table(
        "words",
        sa.Column("seq", NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("owner", ID, nullable=False),
        sa.Column("said", sa.LargeBinary, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], [f"{SCHEMA}.turns.id"], name="fk_words_turn_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_words"),
        schema=SCHEMA,
    )
    op.create_index("ix_words_owner_seq", "words", ["owner", "seq"], schema=SCHEMA)
    op.create_index("ix_words_turn_id", "words", ["turn_id"], schema=SCHEMA)


def _make_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("owner", ID, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_leases"),
        schema=SCHEMA,
    )
