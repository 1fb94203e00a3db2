"""Histories as this language says them: turns, blocks and proofs, and every loss with its notice.

Each is checked by the strict upstream, too (`told.encode`).
"""

import pytest
from msgspec import Raw

from parlance.core.messages import Origin
from parlance.core.parts import (
    Annotation,
    File,
    Image,
    Inline,
    Kept,
    Part,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from tests.unit.dialects.anthropic_messages.told import (
    FOREIGN,
    ORIGIN,
    OWN,
    body,
    call,
    codes,
    encode,
    message,
    messages,
    request,
    result,
)

USE = Kept("anthropic_messages", "server_tool_use", Raw(b'{"type":"server_tool_use","id":"s1","name":"w","input":{}}'))
FOUND = Kept(
    "anthropic_messages",
    "web_search_tool_result",
    Raw(b'{"type":"web_search_tool_result","tool_use_id":"s1","content":[]}'),
)
PNG, JPEG = b"\x89PNG\r\n", b"\xff\xd8\xff\xe0"


@pytest.mark.requirement("anthropic_messages:request:turns")
def test_neighbours_of_one_role_are_one_turn() -> None:
    told = messages(message("user", "a"), message("user", "b"), message("assistant", "c"), message("assistant", "d"),
                    message("user", "e"))  # fmt: skip
    assert [one["role"] for one in told] == ["user", "assistant", "user"]
    assert told[0]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert told[2]["content"] == "e"


def test_what_says_nothing_is_left_out() -> None:
    told = messages(message("user", "a"), message("assistant", " \n", Reasoning("hm")), message("user", "", "b"))
    assert told == [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]


def test_the_first_word_is_the_users() -> None:
    told = messages(message("assistant", "Hello."), message("user", "Hi"))
    assert [one["role"] for one in told] == ["user", "assistant", "user"]
    assert messages(message("system", "Be brief.")) == [{"role": "user", "content": "Go on."}]


@pytest.mark.requirement("anthropic_messages:request:system_prompt")
def test_what_the_operator_says_stands_before_the_conversation() -> None:
    told = body(encode(request(message("system", "a"), message("system", "b"), message("user", "Hi"))))
    assert told["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    pictured = encode(request(message("system", "a", Image(Url("https://a.example"))), message("user", "Hi")))
    assert (body(pictured)["system"], codes(pictured)) == ("a", ["part_dropped"])


SYSTEM_LATER = [message("user", "a"), message("system", "s"), message("user", "b"), message("assistant", "c"),
                message("system", "t"), message("user", "d")]  # fmt: skip


@pytest.mark.requirement("anthropic_messages:request:system_places")
def test_a_later_system_message_stands_behind_the_users_turn_where_the_model_takes_it() -> None:
    encoded = encode(request(*SYSTEM_LATER, model="claude-opus-4-8"))
    told = body(encoded)["messages"]
    assert [one["role"] for one in told] == ["user", "system", "assistant", "user"]
    assert told[1]["content"] == "s"
    assert told[3]["content"][0]["text"] == "<system>\nt\n</system>"
    assert codes(encoded) == ["system_message_rewritten"]
    assert codes(encode(request(message("user", "a"), message("system", "s"), model="claude-opus-4-8"))) == []


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-7", "claude-sonnet-5", "kimi-k2"])
def test_elsewhere_it_is_put_into_the_users_words(model: str) -> None:
    encoded = encode(request(*SYSTEM_LATER, model=model))
    told = body(encoded)["messages"]
    assert [one["role"] for one in told] == ["user", "assistant", "user"]
    assert told[0]["content"][1]["text"] == "<system>\ns\n</system>"
    assert codes(encoded) == ["system_message_rewritten"]


@pytest.mark.requirement("anthropic_messages:request:results_first")
def test_results_come_first_and_once_for_each_call() -> None:
    told = messages(
        message("user", "Hi"),
        message("assistant", "One moment.", call("a"), call("b")),
        message("tool", result("b", "", is_error=True)),
        message("tool", result("a")),
        message("tool", result("a", "again"), result("x")),
        message("user", "And?"),
    )
    assert told[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "b", "content": "error", "is_error": True},
        {"type": "tool_result", "tool_use_id": "a", "content": "found"},
        {"type": "text", "text": "And?"},
    ]


@pytest.mark.requirement("anthropic_messages:request:calls_answered")
def test_every_call_is_answered_and_a_result_without_a_call_is_left_out() -> None:
    encoded = encode(
        request(
            message("user", "Hi"), message("assistant", call("a")), message("user", "?"), message("tool", result("a"))
        )
    )
    (answer, _) = body(encoded)["messages"][2]["content"]
    assert (answer["content"], answer["is_error"]) == ("not answered", True)
    assert codes(encoded) == ["result_dropped"]


def test_ids_of_calls_are_of_the_hosts_kind_and_never_twice() -> None:
    told = messages(
        message("user", "Hi"), message("assistant", call("call.0")), message("tool", result("call.0")),
        message("assistant", call("x")), message("tool", result("x", "1")),
        message("assistant", call("x")), message("tool", result("x", "2")),
    )  # fmt: skip
    used = [one["content"][0]["id"] for one in told if one["role"] == "assistant"]
    answered = [one["content"][0]["tool_use_id"] for one in told[2::2]]
    assert used == answered
    assert used[0].startswith("toolu_")
    assert used[1:] == ["x", "x_2"]


def test_arguments_stay_the_text_they_were_and_what_is_no_object_spoils_nothing() -> None:
    exact = '{"b": 1.0, "a": 12345678901234567890, "a": 2}'
    given = [exact, "{", "[1]", "", '{"a":\ud83d}', '{"a":1}', '{"a":"\\ud83d"}']
    calls = [call(f"c{number}", arguments=text) for number, text in enumerate(given)]
    encoded = encode(request(message("user", "Hi"), message("assistant", *calls)))
    assert exact.encode() in encoded.body
    inputs = [block["input"] for block in body(encoded)["messages"][1]["content"]]
    assert inputs[1:] == [{}, {}, {}, {}, {"a": 1}, {}]


def test_a_call_of_a_freeform_tool_has_an_input_of_its_text() -> None:
    told = messages(message("user", "Hi"), message("assistant", ToolCall(call("a").id, "type", "ls", freeform=True)))
    assert told[1]["content"][0]["input"] == {"input": "ls"}


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5", "kimi-k2"])
@pytest.mark.requirement("anthropic_messages:request:prefill")
def test_a_text_put_into_the_models_mouth_goes_only_to_models_that_go_on_from_it(model: str) -> None:
    encoded = encode(request(message("user", "Hi"), message("assistant", "The answer is ( \n"), model=model))
    told = body(encoded)["messages"]
    if model == "claude-opus-5":
        assert (told[-1], codes(encoded)) == ({"role": "user", "content": "Go on."}, ["prefill_rewritten"])
    else:
        assert (told[-1]["content"], codes(encoded)) == ("The answer is (", [])


@pytest.mark.requirement("anthropic_messages:request:pause")
def test_an_interrupted_answer_goes_back_as_it_came() -> None:
    for paused in (message("assistant", "a", USE), message("assistant", USE, FOUND, "b", finish="continue")):
        encoded = encode(request(message("user", "Hi"), paused, model="claude-opus-5"))
        assert body(encoded)["messages"][-1]["role"] == "assistant"
        assert encoded.notices == ()


@pytest.mark.requirement("anthropic_messages:request:kept")
def test_blocks_that_only_this_family_knows_go_back_to_their_own_host_and_nowhere_else() -> None:
    foreign = Kept("gemini", "toolCall", Raw(b"{}"))
    history = (
        message("user", "Hi"),
        message("assistant", USE, FOUND, foreign, "so", origin=ORIGIN),
        message("user", "?"),
    )
    encoded = encode(request(*history))
    assert [one["type"] for one in body(encoded)["messages"][1]["content"]] == [
        "server_tool_use", "web_search_tool_result", "text"
    ]  # fmt: skip
    assert codes(encoded) == ["part_dropped"]
    elsewhere = (
        history[0],
        message("assistant", USE, FOUND, "so", origin=Origin("other", "m", ORIGIN.family)),
        history[2],
    )
    assert body(encode(request(*elsewhere)))["messages"][1]["content"] == "so"


def test_the_use_of_a_server_tool_that_was_cut_off_is_left_out() -> None:
    encoded = encode(request(message("user", "Hi"), message("assistant", "a", USE), message("user", "?")))
    assert (body(encoded)["messages"][1]["content"], codes(encoded)) == ("a", ["part_dropped"])
    waiting = encode(request(message("user", "Hi"), message("assistant", USE, call("a")), message("tool", result("a"))))
    assert waiting.notices == ()


@pytest.mark.requirement("anthropic_messages:request:signatures")
def test_proofs_go_back_byte_for_byte_to_their_own_host_and_to_no_other() -> None:
    thoughts: list[Part] = [
        Reasoning("hm\n", OWN),
        Reasoning("", OWN),
        Reasoning("", OWN, redacted=True),
        Reasoning("un"),
    ]
    own = messages(message("user", "Hi"), message("assistant", *thoughts, "so", origin=ORIGIN), message("user", "?"))
    assert own[1]["content"] == [
        {"type": "thinking", "thinking": "hm\n", "signature": "b3du"},
        {"type": "thinking", "thinking": "", "signature": "b3du"},
        {"type": "redacted_thinking", "data": "b3du"},
        {"type": "text", "text": "so"},
    ]
    other = message("assistant", *thoughts, "so", origin=Origin("elsewhere", "m", "anthropic_messages"))
    foreign = message("assistant", Reasoning("x", FOREIGN), Text("so", signature=FOREIGN), call("a", signature=FOREIGN))
    for made in (other, foreign):
        encoded = encode(request(message("user", "Hi"), made, message("user", "?")))
        assert b"b3du" not in encoded.body
        assert b"Zm9y" not in encoded.body
        assert codes(encoded) == ["signature_dropped"]


def test_a_thought_at_the_end_of_an_answer_is_left_out() -> None:
    told = messages(message("user", "Hi"), message("assistant", "so", Reasoning("hm", OWN)), message("user", "?"))
    assert told[1]["content"] == "so"
    assert len(messages(message("user", "Hi"), message("assistant", Reasoning("hm", OWN)), message("user", "?"))) == 1


def test_what_the_api_added_to_a_call_goes_back_with_it() -> None:
    added = Signature("anthropic_messages", '{"caller":{"type":"code","tool_id":"s1"},"toolset_name":"browser"}')
    told = messages(message("user", "Hi"), message("assistant", call("a", signature=added), origin=ORIGIN))
    block = told[1]["content"][0]
    assert (block["caller"], block["toolset_name"]) == ({"type": "code", "tool_id": "s1"}, "browser")


@pytest.mark.requirement("anthropic_messages:request:citations")
def test_citations_go_back_with_their_text() -> None:
    cited = Text("so", (Annotation("anthropic_messages", "x", Raw(b'{"type":"x"}')), Annotation("g", "y", Raw(b"{}"))))
    told = messages(message("user", "Hi"), message("assistant", cited), message("user", cited))
    assert told[1]["content"] == [{"type": "text", "text": "so", "citations": [{"type": "x"}]}]
    assert told[2]["content"] == "so"


def test_a_refusal_is_told_as_text() -> None:
    assert (
        messages(message("user", "Hi"), message("assistant", Refusal("No.")), message("user", "?"))[1]["content"]
        == "No."
    )


@pytest.mark.requirement("anthropic_messages:request:shown")
def test_images_and_documents_are_told_by_what_they_are() -> None:
    parts: list[Part] = [
        Image(Inline(PNG), "image/jpeg"),
        Image(Inline(JPEG)),
        Image(Inline(b"BM"), "image/bmp", "a.bmp"),
        Image(Uploaded("openai_chat", "file-1")),
        File(Inline(b"%PDF-1.4")),
        File(Inline("größer".encode()), "text/markdown", "a.md"),
        File(Inline(b"\xff\xfe"), "text/plain"),
        File(Inline(b"RIFF"), "audio/wav"),
        File(Url("https://a.example/b.docx"), "application/msword"),
        File(Uploaded("anthropic_messages", "file_1")),
        Image(Inline(b""), "image/png"),
    ]
    encoded = encode(request(message("user", *parts)))
    content = body(encoded)["messages"][0]["content"]
    assert [(one["type"], one.get("source", {}).get("type")) for one in content] == [
        ("image", "base64"), ("image", "base64"), ("text", None), ("text", None), ("document", "base64"),
        ("document", "text"), ("text", None), ("text", None), ("text", None), ("document", "file"), ("text", None),
    ]  # fmt: skip
    assert [one["source"]["media_type"] for one in content[:2]] == ["image/png", "image/jpeg"]
    assert content[2]["text"] == "[image a.bmp image/bmp]"
    assert content[5]["source"]["data"] == "größer"
    assert set(codes(encoded)) == {"part_dropped"}
    assert len(encoded.notices) == 6


def test_a_host_that_takes_only_text_hears_the_names() -> None:
    told = body(encode(request(message("user", "see", Image(Inline(PNG), "image/png", "a.png"))), "text_only"))
    assert told["messages"][0]["content"][1] == {"type": "text", "text": "[image a.png image/png]"}


def test_what_the_model_showed_is_named_for_it_may_only_speak() -> None:
    encoded = encode(
        request(
            message("user", "Hi"), message("assistant", File(Inline(b"%PDF"), "application/pdf")), message("user", "?")
        )
    )
    assert body(encoded)["messages"][1]["content"] == "[file application/pdf]"


def test_results_show_images_and_leave_out_what_is_empty() -> None:
    shown = ToolResult(call("a").id, "look", (Text("see"), Text(" "), Image(Inline(PNG)), File(Inline(b"x"), "a/b")))
    told = messages(
        message("user", "Hi"), message("assistant", call("a"), call("b")), message("tool", shown, result("b", ""))
    )
    first, second = told[2]["content"]
    assert [one["type"] for one in first["content"]] == ["text", "image", "text"]
    assert "content" not in second
