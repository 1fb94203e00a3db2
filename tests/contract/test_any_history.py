"""Whatever the history holds, and whoever made it: a strict host of every language takes the request."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.ids import CallId, new_message_id
from parlance.core.messages import Message, Origin, Role
from parlance.core.parts import Family, File, Image, Inline, Kept, Part, Text, ToolCall, ToolResult, Url
from parlance.core.requests import AllowedTools, Effort, NamedTool, ReasoningAsk, Request, ToolChoice, ToolSpec
from parlance.testing.voices.table import VOICES
from tests.contract.journeys import as_request
from tests.contract.languages import SPOKEN
from tests.strategies.steps import FAMILIES, names, parts, texts

MODELS = {
    "openai_chat": ["gpt-4o"],
    "openai_responses": ["gpt-4o", "gpt-5"],
    "anthropic_messages": ["claude-3-5-haiku-latest", "claude-sonnet-4-5", "claude-opus-4-8"],
    "gemini": ["gemini-2.5-flash", "gemini-3-pro"],
    "ollama": ["llama3"],
}
STRICT = {"openai_chat": frozenset({"strict_fields"})}
"""What other hosts of the language added stays away from one that takes nothing but the specification's fields."""

sources = st.sampled_from([Inline(b"\x89PNG"), Inline(b""), Url("https://example.org/a")])
media = st.builds(Image, sources, st.sampled_from([None, "image/png", "image/x-strange"])) | st.builds(
    File, sources, st.sampled_from([None, "application/pdf", "text/plain", "audio/wav", "application/x-strange"])
)
asked: st.SearchStrategy[Part] = st.builds(Text, texts) | media
outputs = texts | st.lists(st.builds(Text, texts) | media, max_size=2).map(tuple)
ids = st.sampled_from(["call_0", "call_1", "", "x" * 80, "a b.c"]).map(CallId)
results = st.builds(ToolResult, ids, names, outputs, st.booleans())
origins = st.builds(Origin, st.just("other"), st.just("m"), st.sampled_from(FAMILIES))
choices: st.SearchStrategy[ToolChoice] = st.sampled_from([
    "auto", "none", "required", NamedTool("look"), AllowedTools("auto", ("look",)), AllowedTools("required", ()),
])  # fmt: skip
efforts: st.SearchStrategy[Effort | None] = st.sampled_from([None, "none", "high"])


def message(role: Role, said: list[Part], origin: Origin | None = None) -> Message:
    return Message(new_message_id(), role, tuple(said), origin)


@st.composite
def answers(draw: st.DrawFn) -> list[Message]:
    """What some other host's model said, with results for some of its calls, some of them twice."""
    said = [part for part in draw(st.lists(parts | media, max_size=4)) if not isinstance(part, Kept)]
    named = [msgspec.structs.replace(part, id=draw(ids)) if isinstance(part, ToolCall) else part for part in said]
    unique = {part.id if isinstance(part, ToolCall) else id(part): part for part in named}
    calls = [part for part in unique.values() if isinstance(part, ToolCall)]
    answered = [ToolResult(call.id, call.name, draw(outputs)) for call in calls for _ in range(draw(st.integers(0, 2)))]
    return [message("assistant", list(unique.values()), draw(origins)), *(message("tool", [one]) for one in answered)]


turns: st.SearchStrategy[list[Message]] = st.one_of(
    answers(),
    st.lists(asked, max_size=2).map(lambda said: [message("user", said)]),
    st.lists(st.builds(Text, texts), max_size=2).map(lambda said: [message("system", list(said))]),
    results.map(lambda result: [message("tool", [result])]),
)
histories = st.lists(turns, max_size=6).map(lambda told: tuple(one for turn in told for one in turn))


@pytest.mark.parametrize("family", SPOKEN)
@given(data=st.data(), history=histories, choice=choices, effort=efforts)
def test_a_strict_host_takes_any_history(
    family: Family, data: st.DataObject, history: tuple[Message, ...], choice: ToolChoice, effort: Effort | None
) -> None:
    model = data.draw(st.sampled_from(MODELS[family]))
    request = Request(model, history, (ToolSpec("look"),), tool_choice=choice, reasoning=ReasoningAsk(effort))
    encoded = SPOKEN[family].language.encode_request(request, host="lab", quirks=STRICT.get(family, frozenset()))
    assert VOICES[family].complaint_about(as_request(family, encoded)) is None


@pytest.mark.parametrize("family", SPOKEN)
@pytest.mark.parametrize("history", [(), (message("system", [Text("Be brief.")]),), (message("user", [Text("")]),)])
def test_a_history_without_a_word_to_answer_is_still_one_that_a_host_takes(
    family: Family, history: tuple[Message, ...]
) -> None:
    encoded = SPOKEN[family].language.encode_request(Request("m", history), host="lab", quirks=frozenset())
    assert VOICES[family].complaint_about(as_request(family, encoded)) is None
    assert (b"Be brief." in encoded.body) == any(one.role == "system" for one in history)


@pytest.mark.parametrize("family", SPOKEN)
def test_ten_thousand_steps_whose_calls_all_have_one_id_are_soon_said(family: Family) -> None:
    """Some hosts number the calls of each answer anew. Each call is said apart from those before it, and answered."""
    step = [message("assistant", [ToolCall(CallId("call_0"), "look", "{}")], Origin("other", "m", "openai_chat")),
            message("tool", [ToolResult(CallId("call_0"), "look", "seen")])]  # fmt: skip
    history = (message("user", [Text("Look.")]), *step * 10_000)
    encoded = SPOKEN[family].language.encode_request(Request("m", history), host="lab", quirks=frozenset())
    assert encoded.body.count(b"seen") == 10_000
    assert VOICES[family].complaint_about(as_request(family, encoded)) is None
