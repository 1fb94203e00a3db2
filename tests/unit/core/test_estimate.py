"""Guesses of tokens: rough, never zero for what was said, and marked as guesses."""

from msgspec import Raw

from parlance.core.estimate import (
    TOKENS_PER_MEDIA,
    estimate_usage,
    message_tokens,
    part_tokens,
    tool_tokens,
    usage_of_cut,
)
from parlance.core.ids import CallId
from parlance.core.messages import user_message
from parlance.core.parts import File, Image, Inline, Kept, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Url
from parlance.core.requests import Request, ToolSpec
from parlance.core.usage import Usage


def test_every_part_weighs_something() -> None:
    image, file = Image(Url("https://example.com/a.png")), File(Inline(b"%PDF"))
    parts: list[Part] = [
        Text("word"),
        Refusal("no"),
        Reasoning("hm"),
        ToolCall(CallId("c"), "now", "{}"),
        ToolResult(CallId("c"), "now", "noon"),
        ToolResult(CallId("c"), "now", (Text("noon"), image)),
        Kept("anthropic", "server_tool_use", Raw(b"{}")),
        image,
        file,
    ]
    assert all(part_tokens(part) > 0 for part in parts)
    assert part_tokens(image) == part_tokens(file) == TOKENS_PER_MEDIA


def test_more_text_weighs_more() -> None:
    assert message_tokens(user_message("x" * 400)) - message_tokens(user_message("")) == 100
    assert part_tokens(Text("x")) == 1


def test_letters_beyond_ascii_weigh_more() -> None:
    assert part_tokens(Text("надежда")) == part_tokens(Text("x" * 14))
    assert part_tokens(Text("希望")) == part_tokens(Text("x" * 6))
    assert part_tokens(Text("\ud83d")) == 1


def test_a_tool_on_offer_weighs_what_its_description_and_its_schema_do() -> None:
    assert tool_tokens(ToolSpec("now", "The time.", Raw(b'{"type":"object"}'))) == 4 + 3 + 5


def test_an_image_in_a_result_weighs_as_much_as_any() -> None:
    result = ToolResult(CallId("c"), "now", (Image(Url("https://example.com/a.png")),))
    assert part_tokens(result) == TOKENS_PER_MEDIA


def test_a_guess_is_marked_as_one() -> None:
    usage = estimate_usage(Request("fast", (user_message("x" * 40),)), [Text("x" * 8)])
    assert usage.estimated
    assert (usage.input, usage.output) == (14, 2)


def test_what_a_host_counted_before_the_cut_is_kept_and_never_less_than_was_shown() -> None:
    guess = Usage(input=14, output=2, estimated=True)
    assert usage_of_cut(None, guess) == guess
    assert usage_of_cut(Usage(input=20, output=1, cached=5), guess) == Usage(
        input=20, output=2, cached=5, estimated=True
    )
    assert usage_of_cut(Usage(output=9), guess) == Usage(input=14, output=9, estimated=True)
