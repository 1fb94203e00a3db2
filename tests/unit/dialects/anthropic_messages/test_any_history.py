"""Whatever the history holds, whoever made it: a strict host takes the request."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from parlance.core.ids import CallId, new_message_id
from parlance.core.messages import Message, Origin
from parlance.core.parts import Kept, Part, Reasoning, Signature, Text, ToolCall, ToolResult
from parlance.core.requests import NamedTool, ReasoningAsk, Request, Sampling, ToolChoice, ToolSpec
from parlance.core.usage import Finish
from parlance.dialects.anthropic_messages.speak import LANGUAGE
from parlance.testing.voices.anthropic_messages_strict import complaint_about
from tests.strategies.steps import names, parts, texts

MODELS = [
    "claude-3-5-haiku-latest",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-opus-4-8",
    "claude-sonnet-5-5",
    "k",
]
FAMILIES = ["anthropic_messages", "gemini", "openai_chat"]
finishes: st.SearchStrategy[Finish | None] = st.sampled_from(["stop", "length", "continue", None])
origins = st.none() | st.builds(
    Origin, st.sampled_from(["lab", "other"]), st.sampled_from(MODELS), st.sampled_from(FAMILIES)
)
foreign = parts.filter(lambda part: not (isinstance(part, Kept) and part.family == FAMILIES[0]))
kept = st.sampled_from([
    Kept(FAMILIES[0], "server_tool_use", Raw(b'{"type":"server_tool_use","id":"s","name":"w","input":{}}')),
    Kept(FAMILIES[0], "w_tool_result", Raw(b'{"type":"w_tool_result","tool_use_id":"s","content":[]}')),
])  # fmt: skip
own_thoughts = st.builds(lambda text: Reasoning(text, Signature("anthropic_messages", "b3du")), texts)
results = st.builds(ToolResult, names.map(CallId), names, texts, st.booleans())
choices: st.SearchStrategy[ToolChoice] = st.sampled_from(["auto", "none", "required", NamedTool("look")])
asks = st.builds(
    ReasoningAsk,
    st.sampled_from([None, "none", "minimal", "high", "max"]),
    st.none() | st.integers(1, 99_999),
    st.booleans(),
)


def message(role: str, said: list[Part], origin: Origin | None = None, finish: Finish | None = None) -> Message:
    return Message(new_message_id(), role, tuple(said), origin, finish)  # type: ignore[arg-type]  # from a table


@st.composite
def histories(draw: st.DrawFn) -> tuple[Message, ...]:
    """Messages in any order; some calls are answered, some twice."""
    made: list[Message] = []
    for role in draw(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), max_size=7)):
        if role == "assistant":
            said = draw(st.lists(foreign | own_thoughts | kept, max_size=4))
            unique = {part.id if isinstance(part, ToolCall) else id(part): part for part in said}
            made.append(message(role, list(unique.values()), draw(origins), draw(finishes)))
            answered = [part for part in unique.values() if isinstance(part, ToolCall) and draw(st.booleans())]
            made += [message("tool", [ToolResult(part.id, part.name, draw(texts))]) for part in answered]
        elif role == "tool":
            made.append(message(role, [draw(results)]))
        else:
            made.append(message(role, [Text(text) for text in draw(st.lists(texts, max_size=2))]))
    return tuple(made)


@given(
    history=histories(),
    model=st.sampled_from(MODELS),
    choice=choices,
    ask=asks,
    quirk=st.sampled_from([(), ("version_2026_10_21",), ("text_only",)]),
)
def test_a_strict_host_takes_any_history(
    history: tuple[Message, ...], model: str, choice: ToolChoice, ask: ReasoningAsk, quirk: tuple[str, ...]
) -> None:
    request = Request(
        model=model,
        messages=history,
        tools=(ToolSpec("look"),),
        tool_choice=choice,
        reasoning=ask,
        sampling=Sampling(temperature=1.5, top_k=3),
    )
    encoded = LANGUAGE.encode_request(request, host="lab", quirks=frozenset(quirk))
    assert complaint_about(encoded.body, version=dict(encoded.headers)["anthropic-version"]) is None
