"""The words of Ollama's chat, in both directions: lines of an answer, messages, tools, options.

Strict on purpose: what other servers send otherwise is read by `lenient` into the same types. Unknown fields are
skipped.
"""

from typing import Final, Literal

from msgspec import Raw, Struct

FAMILY: Final = "ollama"

WireRole = Literal["system", "user", "assistant", "tool"]


class WireFunction(Struct, gc=False):
    """`arguments` is an object, whole."""

    name: str = ""
    arguments: Raw = Raw(b"{}")


class WireCall(Struct, gc=False, omit_defaults=True):
    """A whole call. Only newer servers give an `id`."""

    function: WireFunction
    id: str | None = None


class WireMessage(Struct, omit_defaults=True, kw_only=True):
    """A message, or in a line of an answer what is added to it. `images` are base64."""

    role: str
    content: str
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[WireCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Said(Struct, gc=False):
    """The message in a line of an answer."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[WireCall] | None = None


class Line(Struct, gc=False):
    """A line as it is read in the middle of an answer. Counts come with `done`, if at all."""

    message: Said | None = None
    done: bool = False
    error: Raw = Raw(b"")
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class NamedLine(Line, gc=False):
    """A line with the name that only the first one is asked for; also a whole answer."""

    model: str | None = None


class OfferedFunction(Struct, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"")


class WireTool(Struct):
    type: str
    function: OfferedFunction


class Options(Struct, omit_defaults=True):
    """What we have words for; `num_ctx` is the window to reserve, prompt and answer together."""

    num_ctx: int | None = None
    num_predict: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: list[str] | None = None
