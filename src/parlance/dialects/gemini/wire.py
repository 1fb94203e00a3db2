"""The words of an answer: chunks and what they hold. Those of a request are in `wire_requests`.

Strict on purpose: what hosts send otherwise goes through `lenient` into the same types.
"""

from typing import Final

from msgspec import Raw, Struct

NOTHING: Final = Raw(b"")
"""The one value for a field that is not there: only this very object is left out where a word is encoded."""


class _Words(Struct, gc=False, rename="camel"):
    pass


class FunctionCall(_Words, gc=False):
    """`args` is an object, and whole. `partial_args` and `will_continue` are said only to who asked for pieces."""

    name: str | None = None
    id: str | None = None
    args: Raw = NOTHING
    partial_args: Raw = NOTHING
    will_continue: bool | None = None


class Part(_Words, gc=False):
    """Text, thought or call. A part of another kind has neither, and is read from its own JSON."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(_Words, gc=False):
    parts: list[Part] | None = None


class Candidate(_Words, gc=False):
    content: Content | None = None
    finish_reason: str | None = None
    index: int = 0
    finish_message: str | None = None
    citation_metadata: Raw = NOTHING
    grounding_metadata: Raw = NOTHING
    url_context_metadata: Raw = NOTHING


class WireUsage(_Words, gc=False, omit_defaults=True):
    """`candidates_token_count` is without the thoughts. Only Parlance says the last two."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cache_written_token_count: int | None = None
    estimated: bool = False


class PromptFeedback(_Words, gc=False):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Chunk(_Words, gc=False):
    """A chunk as it is read in the middle of a stream."""

    candidates: list[Candidate] | None = None
    usage_metadata: WireUsage | None = None
    prompt_feedback: PromptFeedback | None = None
    error: Raw = NOTHING


class NamedChunk(Chunk, gc=False):
    """A chunk with the names that only the first one is asked for; also a whole answer."""

    model_version: str | None = None
    response_id: str | None = None


ANNOTATIONS: Final = ("citationMetadata", "groundingMetadata", "urlContextMetadata")
"""What a candidate says of its text, each a whole object: the types of our annotations."""

KEPT: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse", "inlineData", "fileData")
"""The kinds of parts that only this family understands. One that we don't know goes by the name of its first field."""
