"""What a scripted model says, in no language's words; `parlance.testing.voices` puts it into each."""

from msgspec import Struct

from parlance.core.usage import Finish


class ScriptedCall(Struct, frozen=True):
    """A tool call. `arguments` is JSON text; it streams in three pieces where the language streams arguments.

    Without an id one is made from its place; languages without ids leave it out. `signature` is an opaque proof of the
    model's, for languages that sign calls.
    """

    name: str
    arguments: str = "{}"
    id: str | None = None
    signature: str | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """What the model says, in this order: reasoning, text, refusal, calls. Each text and each thought is one chunk.

    `finish` None: `stop`, or `tool_calls` with calls; `raw_finish` is the language's own word, told in its place as it
    is. `signature` proves the reasoning, in languages that sign it. `usage`: tokens in and out, as totals, told when
    asked for; None tells none. `cached` are those of the input that were read from a cache, `thought` those of the
    output that were reasoning.
    """

    text: tuple[str, ...] = ("Hello", " there", "!")
    reasoning: tuple[str, ...] = ()
    signature: str | None = None
    refusal: tuple[str, ...] = ()
    calls: tuple[ScriptedCall, ...] = ()
    finish: Finish | None = None
    raw_finish: str | None = None
    usage: tuple[int, int] | None = (5, 3)
    cached: int | None = None
    thought: int | None = None
    model: str = "scripted-model"

    @property
    def ending(self) -> Finish:
        return self.finish or ("tool_calls" if self.calls else "stop")
