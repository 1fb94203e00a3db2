"""The words of the stream, and the blocks that answers and requests are made of. Those of a request are in
`wire_requests`.

Unknown fields are skipped; what is not of these forms goes through `lenient`.
"""

from typing import Final

from msgspec import Raw, Struct

FAMILY: Final = "anthropic_messages"
NOTHING: Final = Raw(b"")


class OutputDetails(Struct, gc=False, omit_defaults=True):
    thinking_tokens: int | None = None


class WireUsage(Struct, gc=False, omit_defaults=True):
    """`input_tokens` is without what was read from and written to the cache; `output_tokens` includes the thinking.

    Only Parlance says the last two: `unreported`, that the two totals stand in for what the host never said.
    """

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None
    estimated: bool = False
    unreported: bool = False


class WireDelta(Struct, gc=False):
    """What a `content_block_delta` adds, or a `message_delta` ends with. `type` is None in the latter."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Raw = NOTHING
    stop_reason: str | None = None


class StreamEvent(Struct, gc=False):
    """Any event of a stream. One type for all: choosing one by its tag first would cost a second decode."""

    type: str | None = None
    index: int = 0
    delta: WireDelta | None = None
    content_block: Raw = NOTHING
    message: Raw = NOTHING
    usage: WireUsage | None = None
    error: Raw = NOTHING


class Block(Struct):
    """A block of an answer. A block of a type that we have no word for is kept as a whole."""

    type: str | None = None
    text: str | None = None
    citations: list[Raw] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = NOTHING
    caller: Raw = NOTHING
    toolset_name: str | None = None


class WireMessage(Struct):
    """A whole answer, or what `message_start` says of one."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    usage: WireUsage | None = None
    error: Raw = NOTHING
