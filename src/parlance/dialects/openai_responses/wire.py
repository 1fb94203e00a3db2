"""The words both directions share: the events of a stream, and how parts are keyed in it.

Items are read field by field (`items`), once each; only the event itself is decoded into a type.
"""

from typing import Final

from msgspec import Raw, Struct

from parlance.dialects.raw_fields import Fields, read_count, read_text

FAMILY: Final = "openai_responses"
DONE: Final = b"[DONE]"
NOTHING: Final = Raw(b"")

OWN_IDS: Final = ("rs_parlance_", "fc_parlance_", "msg_parlance_")
"""How ids of items begin that we made ourselves: no host knows them."""

SNAPSHOTS: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
ENDINGS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
HOSTED: Final = (
    "response.file_search_call.", "response.web_search_call.", "response.code_interpreter_call",
    "response.image_generation_call.", "response.mcp_list_tools.", "response.mcp_call", "response.shell_call",
    "response.compaction.",
)  # fmt: skip
"""What a host tells of its own tools at work: their items come whole when they are done."""

SAID_AGAIN: Final = frozenset({
    "response.output_text.done", "response.refusal.done", "response.content_part.done",
    "response.reasoning_text.done", "response.reasoning_summary_text.done", "response.reasoning_summary_part.done",
    "response.function_call_arguments.done", "response.custom_tool_call_input.done", "keepalive",
})  # fmt: skip
"""What the item says again when it is done."""


class WireEvent(Struct, gc=False):
    """One event; which fields it has depends on its type. What it holds whole stays JSON until it is looked at."""

    type: str = ""
    delta: str | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: Raw = NOTHING
    part: Raw = NOTHING
    annotation: Raw = NOTHING
    response: Raw = NOTHING


def read_event(fields: Fields) -> WireEvent:
    """An event that is not of the expected form. What makes no sense in a field counts as absent."""
    return WireEvent(
        type=read_text(fields.get("type")) or "",
        delta=read_text(fields.get("delta")),
        output_index=read_count(fields.get("output_index")) or 0,
        content_index=read_count(fields.get("content_index")) or 0,
        summary_index=read_count(fields.get("summary_index")) or 0,
        item=fields.get("item", NOTHING),
        part=fields.get("part", NOTHING),
        annotation=fields.get("annotation", NOTHING),
        response=fields.get("response", NOTHING),
    )


def call_key(output_index: int) -> int:
    return output_index << 16


def content_key(output_index: int, content_index: int) -> int:
    return (output_index << 16) + (content_index << 1) + 1


def summary_key(output_index: int, summary_index: int) -> int:
    return (output_index << 16) + (summary_index << 1) + 2
