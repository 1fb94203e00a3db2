"""Turns by name, each with what a model says in it, and how it must end: every door must tell them in its own words."""

from collections.abc import Sequence

from msgspec import Raw, Struct

from parlance.core.deltas import (
    Annotated,
    Began,
    Delta,
    Done,
    Finished,
    Noted,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    Restarted,
    Signed,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostFailed, HostRateLimited, HostTimeout, ToolFailed, TruncatedAnswer
from parlance.core.events import Event, Status, ToolCalled
from parlance.core.json import JsonObject
from parlance.core.observers import TurnFacts
from parlance.core.parts import Annotation, Kept, Signature, ToolOutput
from parlance.core.tool import Answer
from parlance.core.usage import Usage
from parlance.engine.ask import EngineOptions
from parlance.engine.turn_state import Turn
from parlance.testing.models import FunctionTool
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.turns.stage import Stage, ended

CALLERS_TOOL = "pick_color"
USAGE = Usage(input=12, output=5)


class ScriptedTurn(Struct, frozen=True):
    """`answers`: what the model says to each request. `text`: the prose that is history afterwards, by message.

    The tools on offer are `now` (returns `noon`), `broken` (fails) and the caller's `pick_color`, which is answered
    with `green`. `code` is the fault's.
    """

    name: str
    answers: Sequence[Sequence[Act]]
    text: Sequence[str] = ()
    status: Status = "completed"
    code: str | None = None


def saying(*deltas: Delta) -> list[Act]:
    """One answer, each delta by itself."""
    return [[Began(model="scripted-model")], *([delta] for delta in deltas)]


TURNS = (
    ScriptedTurn("text", [answering("Hello", " there", "!", usage=USAGE)], ["Hello there!"]),
    ScriptedTurn("nothing", [answering()]),
    ScriptedTurn("no_usage", [answering("Hi")], ["Hi"]),
    ScriptedTurn("length", [answering("Once upon", finish="length", usage=USAGE)], ["Once upon"]),
    ScriptedTurn("filtered", [answering("Well", finish="filtered")], ["Well"]),
    ScriptedTurn("unknown_finish", [saying(TextDelta("t", "Hm"), Finished("unknown", "eos_token"))], ["Hm"]),
    ScriptedTurn(
        "refusal", [saying(RefusalDelta("r", "I can't help with that."), Finished("stop"))], ["I can't help with that."]
    ),
    ScriptedTurn(
        "reasoning",
        [
            saying(
                ReasoningDelta("r", "Two and two"),
                Signed("r", Signature("scripted", "proof")),
                TextDelta("t", "Four."),
                UsageReported(Usage(input=12, output=9, reasoning=6)),
                Finished("stop", "stop"),
            )
        ],
        ["Four."],
    ),
    ScriptedTurn(
        "annotated",
        [
            saying(
                TextDelta("t", "See there."),
                Annotated("t", Annotation("scripted", "url_citation", Raw(b'{"url":"https://example.com"}'))),
                Finished("stop"),
            )
        ],
        ["See there."],
    ),
    ScriptedTurn(
        "kept_and_unknown",
        [
            saying(
                Opened(0, Kept("scripted", "web_search", Raw(b'{"query":"x"}'))),
                Unknown("rate_limits", Raw(b"{}")),
                Done(0),
                TextDelta("t", "Found."),
                Noted("mended", "The answer was mended."),
                Finished("stop"),
            )
        ],
        ["Found."],
    ),
    ScriptedTurn(
        "any_character",
        [answering('żółw \N{TURTLE} "quoted"\n', "\0\ud83d</script>")],
        ['żółw \N{TURTLE} "quoted"\n\ufffd\ufffd</script>'],
    ),
    ScriptedTurn(
        "server_tool",
        [calling(("now", '{"zone":"UTC"}'), text="Looking."), answering("Noon.")],
        ["Looking.", "", "Noon."],
    ),
    ScriptedTurn("failing_tool", [calling(("broken", "{}")), answering("It broke.")], ["", "", "It broke."]),
    ScriptedTurn("unknown_tool", [calling(("nwo", "{}")), answering("Sorry.")], ["", "", "Sorry."]),
    ScriptedTurn("bad_arguments", [calling((CALLERS_TOOL, "[1]")), answering("Sorry.")], ["", "", "Sorry."]),
    ScriptedTurn("callers_tool", [calling((CALLERS_TOOL, '{"of":3}')), answering("Green.")], ["", "", "Green."]),
    ScriptedTurn(
        "mixed_round",
        [calling((CALLERS_TOOL, "{}"), ("now", "{}"), text="Both."), calling(("now", "{}")), answering("Done.")],
        ["Both.", "", "", "", "", "Done."],
    ),
    ScriptedTurn("continued", [answering("One", finish="continue"), answering("two")], ["One", "two"]),
    ScriptedTurn(
        "restarted", [saying(TextDelta("t", "Lo"), Restarted("away"), TextDelta("t", "Hi"), Finished("stop"))], ["Hi"]
    ),
    ScriptedTurn(
        "refused_by_host",
        [[HostRateLimited("Too fast.", host="scripted", retry_after=3)]],
        [],
        "failed",
        "upstream_rate_limited",
    ),
    ScriptedTurn(
        "failed_midway", [[*answering("Hel")[:-1], HostFailed("500", host="scripted")]], [], "failed", "upstream_failed"
    ),
    ScriptedTurn("failed_by_model", [answering("Hel", finish="error")], [], "failed", "upstream_failed"),
    ScriptedTurn(
        "cut",
        [[*answering("Hel")[:-1], TruncatedAnswer("cut", host="scripted")]],
        ["Hel"],
        "incomplete",
        "upstream_truncated",
    ),
    ScriptedTurn(
        "cut_in_a_call",
        [[*calling(("now", '{"zo'))[:-1], TruncatedAnswer("cut", host="scripted")]],
        [],
        "incomplete",
        "upstream_truncated",
    ),
    ScriptedTurn(
        "silent_midway",
        [[*answering("Hel")[:-1], HostTimeout("idle", host="scripted")]],
        ["Hel"],
        "incomplete",
        "upstream_timeout",
    ),
    ScriptedTurn("bug", [[ValueError("a secret")]], [], "failed", "internal_error"),
    ScriptedTurn("endless", [calling(("now", "{}"))], [""] * 6, "incomplete", "too_many_rounds"),
)


class _Caller:
    """The caller, who answers what it is asked."""

    def __init__(self) -> None:
        self.turn: Turn | None = None

    def observe(self, facts: TurnFacts, event: Event) -> None:
        if self.turn is not None and isinstance(event, ToolCalled) and event.runner == "client":
            self.turn.pending.answer([Answer(event.call.id, "green")])


async def _now(arguments: JsonObject) -> ToolOutput:
    return "noon"


async def _broken(arguments: JsonObject) -> ToolOutput:
    raise ToolFailed("The tool is broken.")


async def play(script: ScriptedTurn) -> tuple[list[Event], ScriptedProvider]:
    """All events of the turn, and the provider with what it was asked."""
    provider, caller = ScriptedProvider(*script.answers), _Caller()
    tools = (FunctionTool("now", _now), FunctionTool("broken", _broken))
    stage = Stage(provider, *tools, observer=caller, options=EngineOptions(rounds=3))
    caller.turn = await stage.start(callers_tools=[CALLERS_TOOL])
    events = await ended(caller.turn)
    await stage.engine.close()
    return events, provider
