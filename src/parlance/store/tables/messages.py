"""Messages. `position` is their turn's in the chat: (position, seq) is the order in which they are read. They go
with their chat; how their turn ended stands in its own row.

`parts` and `usage` are JSON as `core.parts` and `core.usage` encode it.
"""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from parlance.store.tables.schema import Id, Json, identified, metadata, moment, numbered, of_chat

messages = Table(
    "messages",
    metadata,
    numbered(),
    identified(),
    of_chat(),
    Column("turn_id", Id),
    Column("position", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("host", Text),
    Column("model", Text),
    Column("family", Text),
    Column("finish", String(16)),
    Column("usage", LargeBinary),
    Column("enabled_functions", Json),
    Column("enabled_mcp_tools", Json),
    moment("created_at"),
    Index(None, "chat_id", "position", "seq"),
)
