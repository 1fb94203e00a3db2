"""What the chat languages of our own clients share, and their tool rounds."""

import pytest
from msgspec import Raw

from parlance.core.errors import InvalidRequest
from parlance.core.events import ToolCalled
from parlance.core.ids import CallId
from parlance.core.messages import user_message
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.requests import NamedTool, Request
from parlance.dialects.chat_request import MAX_TOOLS, Params, build_request, decode_text, decode_tools
from parlance.dialects.tool_rounds import GivenResult, decode_answers, tell_call, tell_result


def build(params: Params) -> Request:
    return build_request((), user_message("Hi"), model=None, tools=(), params=params)


def test_the_message_stands_behind_its_history() -> None:
    earlier = user_message("before")
    request = build_request((earlier,), user_message("Hi"), model="lab/m", tools=(), params=Params())
    assert [message.text for message in request.messages] == ["before", "Hi"]
    assert request.model == "lab/m"


def test_no_parameter_says_nothing() -> None:
    asked = user_message("Hi")
    request = build_request((), asked, model=None, tools=(), params=Params())
    assert request == Request(model="", messages=(asked,))


def test_parameters_find_their_places() -> None:
    params = Params(
        reasoning=True,
        reasoning_effort="low",
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        seed=7,
        max_tokens=9,
        parallel_tool_calls=False,
    )
    request = build(params)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed) == (0.5, 0.9, 3, 7)
    assert (request.max_output, request.parallel_calls) == (9, False)
    assert (request.reasoning.effort, request.reasoning.show) == ("low", True)


@pytest.mark.parametrize(("stop", "meant"), [("END", ("END",)), (["a", "b"], ("a", "b")), ([], ())])
def test_a_stop_is_a_text_or_several(stop: str | list[str], meant: tuple[str, ...]) -> None:
    assert build(Params(stop=stop)).sampling.stop == meant


@pytest.mark.parametrize("word", ["auto", "none", "required"])
def test_a_choice_of_tools_may_be_a_word(word: str) -> None:
    assert build(Params(tool_choice=word)).tool_choice == word


def test_any_other_choice_is_the_name_of_a_tool() -> None:
    assert build(Params(tool_choice="get_weather")).tool_choice == NamedTool("get_weather")


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0", "a\0b"])
def test_a_text_says_something_and_holds_no_nul(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\$\.here"):
        decode_text(text, path="$.here")


@pytest.mark.parametrize("text", ["x", " x ", "\u2028x", "😀", "a" * 1_000_000])
def test_any_other_text_is_taken_as_it_is(text: str) -> None:
    assert decode_text(text, path="$").text == text


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name":"a","description":"d","parameters":{"type":"object"},"strict":true}',
        b'{"type":"function","function":{"name":"a","description":"d","parameters":{"type":"object"},"strict":true}}',
    ],
)
def test_a_tool_is_flat_or_nested(raw: bytes) -> None:
    (tool,) = decode_tools([Raw(raw)], path="$")
    assert (tool.name, tool.description, bytes(tool.parameters), tool.strict) == ("a", "d", b'{"type":"object"}', True)


@pytest.mark.parametrize("raw", [b'{"name":"a"}', b'{"name":"a","parameters":null,"description":null}'])
def test_a_tool_needs_nothing_but_its_name(raw: bytes) -> None:
    (tool,) = decode_tools([Raw(raw)], path="$")
    assert (tool.name, tool.description) == ("a", "")


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"{}", r"\$\.tools\[1\]\.name"),
        (b'{"name":"a b"}', r"\$\.tools\[1\]\.name"),
        (b'{"name":"\xc3\xa9"}', r"\$\.tools\[1\]\.name"),
        (b'{"name":"%b"}' % (b"a" * 65), r"\$\.tools\[1\]\.name"),
        (b'{"name":5}', r"\$\.tools\[1\]\.name"),
        (b'"a"', r"\$\.tools\[1\]"),
        (b'{"name":"b","parameters":[]}', r"\$\.tools\[1\]\.parameters"),
        (b'{"name":"ok"}', r"\$\.tools"),
    ],
)
def test_a_tool_that_is_none_is_refused_by_its_place(raw: bytes, place: str) -> None:
    with pytest.raises(InvalidRequest, match=place):
        decode_tools([Raw(b'{"name":"ok"}'), Raw(raw)], path="$.tools")


def test_there_may_be_so_many_tools() -> None:
    tools = [Raw(b'{"name":"t%d"}' % number) for number in range(MAX_TOOLS + 1)]
    assert len(decode_tools(tools[:-1], path="$")) == MAX_TOOLS
    with pytest.raises(InvalidRequest):
        decode_tools(tools, path="$")


def test_a_call_is_told_with_who_runs_it_and_until_when() -> None:
    told = tell_call(ToolCalled(ToolCall(CallId("c"), "a", '{"x": 1.0}'), "client", "2026-11-20T10:00:00Z"))
    assert (told.id, told.name, told.arguments, told.runner, told.expires_at) == (
        "c", "a", '{"x": 1.0}', "client", "2026-11-20T10:00:00Z",
    )  # fmt: skip


def test_a_result_is_told_as_output_or_as_error() -> None:
    good = tell_result(ToolResult(CallId("c"), "a", (Text("fine"),)))
    bad = tell_result(ToolResult(CallId("c"), "a", "broke", is_error=True))
    assert (good.output, good.error) == ("fine", None)
    assert (bad.output, bad.error) == (None, "broke")


@pytest.mark.parametrize(
    ("output", "given"),
    [
        (b'"text"', "text"),
        (b'{"a": 1.0}', '{"a": 1.0}'),
        (b"12345678901234567890", "12345678901234567890"),
        (b"null", "null"),
        (b'""', ""),
    ],
)
def test_the_model_is_given_text_as_it_is_and_anything_else_as_its_json(output: bytes, given: str) -> None:
    (answer,) = decode_answers([GivenResult("c", Raw(output))], path="$")
    assert (answer.call_id, answer.output, answer.is_error) == ("c", given, False)


def test_an_error_is_an_answer_too() -> None:
    (answer,) = decode_answers([GivenResult("c", error="broke")], path="$")
    assert (answer.output, answer.is_error) == ("broke", True)


@pytest.mark.parametrize("results", [[], [GivenResult("c", Raw(b"1"), "broke")]])
def test_no_result_and_one_of_two_minds_are_refused(results: list[GivenResult]) -> None:
    with pytest.raises(InvalidRequest):
        decode_answers(results, path="$")
