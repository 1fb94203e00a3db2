"""The words of an answer: chunks, whole answers, usage, lists of models. Those of a request are in `wire_requests`.

Strict on purpose: what compatible hosts send otherwise goes through `lenient` into the same types. Types that are
decoded have defaults for every field; unknown fields are skipped, for a dict of them costs many times the decode.
"""

from typing import Final

from msgspec import Raw, Struct

DONE: Final = b"[DONE]"


class Function(Struct, gc=False, omit_defaults=True):
    name: str | None = None
    arguments: str | None = None


class Custom(Struct, gc=False, omit_defaults=True):
    """A call of a freeform tool: plain text instead of arguments."""

    name: str | None = None
    input: str | None = None


class Google(Struct, gc=False):
    thought_signature: str | None = None


class ExtraContent(Struct, gc=False):
    """Where Google's hosts of this language put signatures."""

    google: Google | None = None


class CallFragment(Struct, gc=False, omit_defaults=True):
    """One fragment of a call in a chunk, or a whole one (then without `index`)."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: ExtraContent | None = None


class Prose(Struct, gc=False, omit_defaults=True):
    """What a chunk adds (`delta`) or a whole answer says (`message`).

    `reasoning_content` and `reasoning` are twins: hosts send either, or both with the same text. `reasoning_details`
    holds the signatures, and the same text once more.
    """

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[CallFragment] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    annotations: list[Raw] | None = None
    function_call: Function | None = None
    extra_content: ExtraContent | None = None


class Choice(Struct, gc=False):
    index: int = 0
    delta: Prose | None = None
    finish_reason: str | None = None
    message: Prose | None = None


class PromptDetails(Struct, gc=False, omit_defaults=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct, gc=False, omit_defaults=True):
    reasoning_tokens: int | None = None


class WireUsage(Struct, gc=False):
    """`prompt_tokens` includes the cached ones, `completion_tokens` the reasoning. Only Parlance says `estimated`."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    estimated: bool = False


WireError = dict[str, Raw] | str


class Chunk(Struct, gc=False):
    """A chunk as it is read in the middle of a stream."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    error: WireError | None = None


class NamedChunk(Chunk, gc=False):
    """A chunk with the names that only the first one is asked for; also a whole answer."""

    id: str | None = None
    model: str | None = None
    object: str | None = None
