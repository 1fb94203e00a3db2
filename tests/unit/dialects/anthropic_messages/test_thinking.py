"""How each generation of models is asked to think, and what gives way where it can't be asked."""

import json
from typing import Any

import pytest

from parlance.core.messages import Origin
from parlance.core.parts import Reasoning
from parlance.core.requests import Effort, NamedTool, ReasoningAsk, Sampling, ToolSpec
from parlance.dialects.anthropic_messages.abilities import abilities_of
from parlance.dialects.anthropic_messages.speak import LANGUAGE
from tests.unit.dialects.anthropic_messages.told import ORIGIN, OWN, body, call, codes, encode, message, request, result

LOOK = (ToolSpec("look"),)
ROUND = (message("user", "Hi"), message("assistant", call("a")), message("tool", result("a")))


def told(model: str, *, max_output: int | None = None, **asked: Any) -> tuple[object, object, list[str]]:
    """What is said of thinking and of effort, and the notices."""
    encoded = encode(request(model=model, max_output=max_output, reasoning=ReasoningAsk(**asked)))
    return body(encoded).get("thinking"), body(encoded).get("output_config", {}).get("effort"), codes(encoded)


def budget(tokens: int) -> dict[str, object]:
    return {"type": "enabled", "budget_tokens": tokens}


ADAPTIVE = {"type": "adaptive"}
SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.requirement("anthropic_messages:request:budget")
@pytest.mark.parametrize(
    ("model", "asked", "thinking", "notices"),
    [
        ("claude-sonnet-4-5", {"budget": 2000}, budget(2000), []),
        ("claude-sonnet-4-6", {"budget": 2000, "show": True}, budget(2000), []),
        ("claude-sonnet-4-5", {"budget": 10}, budget(1024), ["reasoning_budget_cut"]),
        ("claude-sonnet-4-5", {"budget": 0}, None, []),
        ("claude-sonnet-4-5", {"budget": -1}, budget(8_192), []),
        ("claude-opus-5", {"budget": 0}, {"type": "disabled"}, []),
        ("claude-sonnet-4-5", {"budget": 99_000}, budget(63_999), ["reasoning_budget_cut"]),
        ("claude-sonnet-4-5", {"budget": 2000, "max_output": 1500}, budget(1499), ["reasoning_budget_cut"]),
        ("claude-sonnet-4-5", {"budget": 2000, "max_output": 1024}, None, ["reasoning_dropped"]),
        ("claude-opus-4-8", {"budget": 2000}, ADAPTIVE, ["reasoning_budget_dropped"]),
        ("claude-3-5-haiku-latest", {"budget": 2000}, None, ["reasoning_dropped"]),
        ("kimi-k2", {"budget": 2000}, budget(2000), []),
    ],
)
def test_a_budget_goes_to_models_that_take_one(
    model: str, asked: dict[str, Any], thinking: object, notices: list[str]
) -> None:
    assert told(model, **asked) == (thinking, None, notices)


@pytest.mark.requirement("anthropic_messages:request:effort")
@pytest.mark.parametrize(
    ("model", "effort", "thinking", "said", "notices"),
    [
        ("claude-sonnet-4-5", "minimal", budget(1_024), None, []),
        ("claude-sonnet-4-5", "high", budget(16_384), None, []),
        ("claude-opus-4-5", "high", budget(16_384), "high", []),
        ("claude-opus-4-5", "max", budget(49_152), "high", ["reasoning_effort_cut"]),
        ("claude-opus-4-6", "max", ADAPTIVE, "max", []),
        ("claude-opus-4-6", "xhigh", ADAPTIVE, "high", ["reasoning_effort_cut"]),
        ("claude-opus-4-8", "minimal", ADAPTIVE, "low", []),
        ("claude-haiku-5-5", "xhigh", ADAPTIVE, "xhigh", []),
        ("claude-3-haiku-20240307", "high", None, None, ["reasoning_dropped"]),
        ("kimi-k2", "low", budget(2_048), None, []),
    ],
)
def test_an_effort_becomes_what_the_model_knows(
    model: str, effort: Effort, thinking: object, said: object, notices: list[str]
) -> None:
    assert told(model, effort=effort) == (thinking, said, notices)


@pytest.mark.requirement("anthropic_messages:request:quiet")
@pytest.mark.parametrize(
    ("model", "thinking", "said", "notices"),
    [
        ("claude-sonnet-4-5", None, None, []),
        ("claude-opus-4-8", None, None, []),
        ("claude-opus-5", {"type": "disabled"}, None, []),
        ("claude-haiku-5-5", {"type": "disabled"}, None, []),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None, []),
        ("claude-opus-5-5", None, "low", ["reasoning_kept"]),
        ("claude-fable-5-1", None, "low", ["reasoning_kept"]),
    ],
)
def test_no_thinking_is_said_only_where_it_must_be(
    model: str, thinking: object, said: object, notices: list[str]
) -> None:
    assert told(model, effort="none") == (thinking, said, notices)


def test_thoughts_are_shown_to_whoever_asks() -> None:
    assert told("claude-opus-4-8", effort="high", show=True) == (SHOWN, "high", [])
    assert told("claude-sonnet-5-5", show=True) == (SHOWN, None, [])
    assert told("claude-opus-4-8", show=True) == (None, None, [])
    assert told("claude-sonnet-5-5") == (None, None, [])


def test_sampling_gives_way_to_thinking() -> None:
    asked = request(reasoning=ReasoningAsk(budget=2000), sampling=Sampling(temperature=0.5))
    encoded = encode(asked)
    assert "temperature" not in body(encoded)
    assert "while it thinks" in encoded.notices[0].message


@pytest.mark.parametrize(
    ("model", "thinks"), [("claude-sonnet-4-5", False), ("claude-opus-4-7", False), ("claude-opus-4-8", True)]
)
def test_thinking_gives_way_to_a_forced_tool_where_it_must(model: str, thinks: bool) -> None:
    asked = ReasoningAsk(effort="high")
    encoded = encode(request(model=model, tools=LOOK, tool_choice=NamedTool("look"), reasoning=asked))
    assert ("thinking" in body(encoded)) == thinks
    assert codes(encoded) == ([] if thinks else ["reasoning_dropped"])


@pytest.mark.requirement("anthropic_messages:request:thinking_in_rounds")
def test_a_turn_with_tools_that_began_without_thinking_goes_on_without() -> None:
    asked = ReasoningAsk(budget=2000)
    encoded = encode(request(*ROUND, reasoning=asked))
    assert ("thinking" in body(encoded), codes(encoded)) == (False, ["reasoning_dropped"])
    thought = message("assistant", Reasoning("hm", OWN), call("a"), origin=ORIGIN)
    begun = encode(request(ROUND[0], thought, ROUND[2], reasoning=asked))
    assert (body(begun)["thinking"], codes(begun)) == (budget(2000), [])
    over = encode(request(*ROUND, message("assistant", "so"), message("user", "?"), reasoning=asked))
    assert "thinking" in body(over)
    adaptive = encode(request(*ROUND, model="claude-opus-4-8", reasoning=ReasoningAsk(effort="low")))
    assert "thinking" in body(adaptive)


def test_thinking_gives_way_to_a_text_put_into_the_models_mouth() -> None:
    asked = request(message("user", "Hi"), message("assistant", "("), reasoning=ReasoningAsk(budget=2000))
    assert ("thinking" in body(encode(asked)), codes(encode(asked))) == (False, ["reasoning_dropped"])


@pytest.mark.requirement("anthropic_messages:request:bound_thoughts")
def test_thoughts_of_the_newer_models_are_left_out_by_the_host_where_they_no_longer_fit() -> None:
    model = "claude-sonnet-5-5"
    own = message("assistant", Reasoning("hm", OWN), "so", origin=Origin("lab", model, "anthropic_messages"))
    history = (message("user", "Hi"), own, message("user", "?"))
    # Only a beta of the API knows the field, so the strict upstream, which knows the API alone, is not asked.
    encoded = LANGUAGE.encode_request(request(*history, model=model), host="lab", quirks=frozenset())
    binding = {"prefix_mismatch_behavior": "drop_block"}
    assert json.loads(encoded.body)["thinking"] == {"type": "adaptive", "block_binding": binding}
    assert encoded.headers[1:] == (("anthropic-beta", "thinking-binding-controls-2026-08-01"),)
    older = encode(request(*history, model="claude-opus-5-5"))
    assert (b"b3du" in older.body, codes(older)) == (False, ["signature_dropped"])
    quiet = encode(request(*history, model=model, reasoning=ReasoningAsk("none")))
    assert (b"b3du" in quiet.body, body(quiet)["thinking"]) == (False, {"type": "between_tools"})


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
        ("claude-opus-4@20250514", "claude-opus-4-0"),
        ("anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-haiku-5-5-20261007", "claude-haiku-5-5"),
        ("claude-mythos-preview", "claude-mythos-5-2"),
        ("claude-3-7-sonnet-latest", "claude-sonnet-3-7"),
    ],
)
def test_models_are_told_apart_under_all_their_names(name: str, like: str) -> None:
    assert abilities_of(name) == abilities_of(like)
