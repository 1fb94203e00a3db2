"""Assistants."""

from sqlalchemy import Boolean, Column, Index, Table, Text

from parlance.store.tables.schema import Json, identified, metadata, moment, numbered, of_subtenant

assistants = Table(
    "assistants",
    metadata,
    numbered(),
    identified(),
    of_subtenant(nullable=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("system_prompt", Text),
    Column("enabled_functions", Json),
    Column("enabled_mcp_tools", Json),
    Column("function_parameters", Json, nullable=False),
    Column("mcp_tool_parameters", Json, nullable=False),
    Column("is_active", Boolean, nullable=False),
    moment("created_at"),
    moment("updated_at"),
    Index(None, "subtenant_id", "seq"),
)
