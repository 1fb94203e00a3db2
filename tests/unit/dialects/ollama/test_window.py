"""The window is asked for as large as a request needs it, and no larger than the model's own."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.parts import Image, Inline
from parlance.core.requests import Request, ToolSpec, Window
from parlance.dialects.ollama.speak import Ollama
from tests.unit.dialects.ollama.told import body, codes, encode
from tests.unit.dialects.openai_chat.told import message, request


def asking(words: int, *, window: Window | None = None, max_output: int | None = None) -> Request:
    return replace(request(message("user", "word " * words)), window=window, max_output=max_output)


def num_ctx(asked: Request) -> object:
    options = body(encode(asked)).get("options", {})
    assert isinstance(options, dict)
    return options.get("num_ctx")


def shown(parameters: str = "", about: object = None) -> bytes:
    return json.dumps({"parameters": parameters, "model_info": about, "capabilities": ["completion"]}).encode()


@pytest.mark.requirement("ollama:window:size")
@pytest.mark.parametrize(
    ("words", "max_output", "tokens"),
    [
        (1, None, 8192),
        (2000, None, 8192),
        (3000, None, 16384),
        (3000, 10, 8192),
        (1, 20000, 32768),
        (50000, 10, 131072),
    ],
)
def test_the_window_grows_by_powers_of_two_with_the_request_and_its_answer(
    words: int, max_output: int | None, tokens: int
) -> None:
    assert num_ctx(asking(words, max_output=max_output)) == tokens


@pytest.mark.requirement("ollama:window:own_length")
def test_it_grows_up_to_the_models_own_and_what_is_larger_is_said_to_be_cut() -> None:
    own = Window(40960)
    assert num_ctx(asking(20000, window=own)) == 40960
    assert encode(asking(20000, window=own)).notices == ()
    encoded = encode(asking(40000, window=own))
    assert codes(encoded) == ["request_cut"]
    assert "takes 40960 at once" in encoded.notices[0].message
    assert num_ctx(asking(1, window=Window(2048))) == 2048


@pytest.mark.requirement("ollama:window:held")
def test_a_window_that_is_held_is_not_given_up_for_a_smaller_request() -> None:
    assert num_ctx(asking(1, window=Window(131072, held=32768))) == 32768
    assert encode(asking(1, window=Window(131072, held=32768))).needs == 8192
    assert num_ctx(asking(20000, window=Window(131072, held=32768))) == 65536
    assert num_ctx(asking(1, window=Window(16384, held=32768))) == 16384


@pytest.mark.requirement("ollama:window:set")
def test_what_its_operator_or_the_caller_has_set_is_left_to_them() -> None:
    assert "options" not in body(encode(asking(1, window=Window(4096, fixed=True))))
    assert codes(encode(asking(9000, window=Window(4096, fixed=True)))) == ["request_cut"]
    given = replace(asking(9000, window=Window(4096)), extra={"ollama": {"options": Raw(b'{"num_ctx":2048}')}})
    assert num_ctx(given) == 2048
    assert encode(given).needs is None


def test_tools_and_images_count_but_not_the_bytes_of_images() -> None:
    picture = Image(Inline(b"x" * 1_000_000), "image/png")
    assert num_ctx(request(message("user", "Hi", picture))) == 8192
    assert num_ctx(request(message("user", "Hi", *[picture] * 5))) == 16384
    schema = Raw(json.dumps({"type": "object", "description": "x" * 30_000}).encode())
    assert num_ctx(replace(request(), tools=(ToolSpec("look", parameters=schema),))) == 16384


def test_characters_of_three_bytes_count_as_tokens() -> None:
    assert num_ctx(replace(request(message("user", "字" * 10_000)), max_output=1)) == 16384


@pytest.mark.requirement("ollama:window:asked")
@pytest.mark.parametrize(
    ("answer", "window"),
    [
        (shown(about={"general.architecture": "llama", "llama.context_length": 8192}), Window(8192)),
        (
            shown(about={"clip.context_length": 77, "general.architecture": "q", "q.context_length": 4096.0}),
            Window(4096),
        ),
        (shown(about={"x.context_length": 4096}), Window(4096)),
        (shown("stop  x\nnum_ctx                        2048\ntop_k 1"), Window(2048, fixed=True)),
        (shown("num_ctx 99999", about={"x.context_length": 4096}), Window(4096, fixed=True)),
        (
            json.dumps({"remote_host": "https://x", "model_info": {"a.context_length": 9}}).encode(),
            Window(9, fixed=True),
        ),
        (shown("num_ctx 0"), None),
        (shown(about={"x.context_length": 0}), None),
        (shown(about={"x.context_length": "long"}), None),
        (shown(), None),
        (b'{"model_info":[]}', None),
        (b"[]", None),
        (b"<html>", None),
        (b"[" * 5000, None),
        (b"", None),
    ],
)
def test_the_host_says_how_large_a_models_window_is(answer: bytes, window: Window | None) -> None:
    assert Ollama().decode_window(answer) == window


def test_the_question_names_the_model() -> None:
    asked = Ollama().window_request("qwen3:8b")
    assert (asked.path, json.loads(asked.body)) == ("/api/show", {"model": "qwen3:8b"})
