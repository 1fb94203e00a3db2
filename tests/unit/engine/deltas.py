"""Any deltas in any order: what well-behaved languages say, and what none of them should."""

from hypothesis import strategies as st
from msgspec import Raw

from parlance.core.deltas import (
    Annotated,
    ArgumentsDelta,
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
from parlance.core.ids import CallId
from parlance.core.parts import Annotation, Image, Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall, Url
from parlance.core.usage import Usage

KEYS = st.sampled_from([0, 1, 2, "text", "reasoning"])
WORDS = st.sampled_from(["", "a", "Hello", " there", "\0", "\ud83d", "\ude00", "żółw", "{", '{"a":1}', "}", '"'])
SIGNATURES = st.builds(Signature, st.sampled_from(["openai_chat", "gemini"]), WORDS.map(ascii))
ANNOTATIONS = st.just(Annotation("openai_chat", "url_citation", Raw(b"{}")))
CALLS = st.builds(
    ToolCall,
    st.sampled_from([CallId("call-1"), CallId("call-2"), CallId(""), CallId("\ud83d")]),
    st.sampled_from(["get_weather", "client_pick", "n\0"]),
    WORDS,
    st.none() | SIGNATURES,
    st.booleans(),
)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS, st.lists(ANNOTATIONS, max_size=2).map(tuple), st.none() | SIGNATURES),
    st.builds(Refusal, WORDS),
    st.builds(Reasoning, WORDS, st.none() | SIGNATURES, st.booleans(), st.booleans()),
    CALLS,
    st.builds(Kept, st.just("anthropic"), st.just("server_tool_use"), st.sampled_from([Raw(b"{}"), Raw(b"[1]")])),
    st.just(Image(Url("https://example.com/a.png"))),
)
COUNTS = st.none() | st.integers(0, 100)
FINISHES = st.builds(
    Finished,
    st.sampled_from(["stop", "tool_calls", "length", "filtered", "continue", "error", "unknown"]),
    st.none() | WORDS,
)
GROWTHS: st.SearchStrategy[Delta] = st.one_of(
    st.builds(TextDelta, KEYS, WORDS),
    st.builds(ReasoningDelta, KEYS, WORDS),
    st.builds(RefusalDelta, KEYS, WORDS),
    st.builds(ArgumentsDelta, KEYS, WORDS),
)
SAID: st.SearchStrategy[Delta] = st.one_of(
    GROWTHS,
    GROWTHS,
    st.builds(Opened, KEYS, PARTS),
    st.builds(Done, KEYS, st.none() | PARTS),
    st.builds(Signed, KEYS, SIGNATURES),
    st.builds(Annotated, KEYS, ANNOTATIONS),
    st.builds(UsageReported, st.builds(Usage, COUNTS, COUNTS)),
)
RARE: st.SearchStrategy[Delta] = st.one_of(
    st.builds(Began, st.sampled_from([None, "model", "m\0"])),
    st.builds(Restarted, st.just("the host went away")),
    st.builds(Noted, st.just("dropped"), st.just("It can't say that.")),
    st.builds(Unknown, WORDS, st.just(Raw(b"{}"))),
    FINISHES,
)
ANYTHING = st.lists(st.one_of(SAID, SAID, SAID, RARE), max_size=40)
