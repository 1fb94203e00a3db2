"""What is asked of a model: one request, in no vendor's words."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.core.messages import Message
from parlance.core.parts import CacheMark, Family

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ToolSpec(Struct, frozen=True, omit_defaults=True):
    """A tool as it is offered.

    `parameters` is a JSON Schema of an object, as text; `freeform` tools take plain text and have none. `cache`: the
    caller's wish that the prompt be cached up to this tool.
    """

    name: str
    description: str = ""
    parameters: Raw = Raw(b'{"type":"object","properties":{}}')
    strict: bool | None = None
    freeform: bool = False
    cache: CacheMark | None = None


class NamedTool(Struct, frozen=True, tag="named"):
    """The model must call this one."""

    name: str


class AllowedTools(Struct, frozen=True, tag="allowed"):
    """Only these may be called: `auto`, if any; `required`, at least one."""

    mode: Literal["auto", "required"]
    names: tuple[str, ...]


ToolChoice = Literal["auto", "none", "required"] | NamedTool | AllowedTools


class Sampling(Struct, frozen=True, omit_defaults=True):
    """None: the host's own default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


class ReasoningAsk(Struct, frozen=True, omit_defaults=True):
    """How much the model shall think (`effort`, or `budget` in tokens), and whether the caller wants to be shown it."""

    effort: Effort | None = None
    budget: int | None = None
    show: bool = False


class OutputFormat(Struct, frozen=True, omit_defaults=True):
    """Structured output. `json` is any object; `json_schema` follows `schema`."""

    type: Literal["json", "json_schema"]
    name: str | None = None
    schema: Raw = Raw(b"")
    strict: bool | None = None


class Window(Struct, frozen=True, omit_defaults=True):
    """How many tokens a model takes at once, prompt and answer together.

    `fixed`: its operator has set that, and the host holds to it unasked. `held`: what the host reserves for it just
    now; a request for less would make it load the model anew.
    """

    tokens: int
    fixed: bool = False
    held: int = 0


class Request(Struct, frozen=True, omit_defaults=True):
    """One request.

    `model` is the name the caller uses until routing has resolved it, then the host's own. `extra` holds fields of a
    language that we have no word for: they are sent on only to that family. `can_restart`: the caller's language can
    say that shown text is void. `window` is set by the provider, where its language has to say what it needs of it.
    `timeout`: seconds that the caller gives this model call; None: as long as the host has.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_calls: bool | None = None
    max_output: int | None = None
    sampling: Sampling = Sampling()
    reasoning: ReasoningAsk = ReasoningAsk()
    output_format: OutputFormat | None = None
    extra: dict[Family, dict[str, Raw]] = {}
    can_restart: bool = False
    timeout: float | None = None
    window: Window | None = None
