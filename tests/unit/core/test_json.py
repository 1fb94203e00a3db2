"""JSON from outside: any bytes are a value or an error that says what is wrong and where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from parlance.core.errors import InvalidJson, InvalidRequest
from parlance.core.json import MAX_DEPTH, JsonObject, decode_json


class Inner(Struct):
    text: str


class Outer(Struct):
    payload: Inner
    numbers: list[int] = []


def test_a_value_is_decoded_as_its_type() -> None:
    assert decode_json(b'{"payload":{"text":"hi"}}', Outer) == Outer(Inner("hi"))
    assert decode_json('{"text":"żółw"}', Inner) == Inner("żółw")
    assert decode_json(Raw(b'{"text":"raw"}'), Inner) == Inner("raw")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"payload":{"text":7}}', "$.payload.text"),
        (b'{"payload":{"text":""},"numbers":[1,"two"]}', "$.numbers[1]"),
        (b'{"payload":null}', "$.payload"),
        (b"[]", "$"),
    ],
)
def test_another_form_is_an_error_that_names_the_place(text: bytes, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(text, Outer)
    assert [field.path for field in caught.value.fields] == [path]
    assert caught.value.message.startswith(f"{path}: ")


def test_a_place_is_told_from_where_the_text_stands() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(b'{"text":7}', Inner, at="$.payload")
    assert caught.value.fields[0].path == "$.payload.text"


@pytest.mark.parametrize("text", [b"", b"{", b'{"text":}', b"nul", b'{"text":"a"} x', b"NaN", b'"a\nb"'])
def test_what_is_no_json_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(InvalidJson, match="Not valid JSON"):
        decode_json(text, object)


def test_bytes_that_are_no_characters_are_named() -> None:
    with pytest.raises(InvalidJson, match="UTF-8"):
        decode_json(b'{"text":"\xff"}', Inner)


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\uDE00", rb"\ud83d\u0041", rb"\ud83dx"])
def test_half_of_a_surrogate_pair_is_named(half: bytes) -> None:
    with pytest.raises(InvalidJson, match="surrogate"):
        decode_json(b'{"text":"' + half + b'"}', Inner)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decode_json(rb'{"text":"\ud83d\ude00"}', Inner) == Inner("\N{GRINNING FACE}")


def test_a_lone_surrogate_in_a_python_string_is_an_error_too() -> None:
    with pytest.raises(InvalidJson):
        decode_json('{"text":"\ud83d"}', Inner)


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded_before_anything_is_built(pair: tuple[str, str]) -> None:
    def nested(depth: int) -> str:
        return pair[0] * depth + "1" + pair[1] * depth

    decode_json(nested(MAX_DEPTH), object)
    for depth in (MAX_DEPTH + 1, 1_000, 100_000):
        with pytest.raises(InvalidRequest, match="nested deeper"):
            decode_json(nested(depth), object)


def test_brackets_beside_each_other_or_in_texts_are_no_depth() -> None:
    wide: JsonObject = {"wide": [[] for _ in range(200)], "text": "[{" * 200, 'quo"ted\\': "\\["}
    assert decode_json(json.dumps(wide), object) == wide


def depth_of(value: object) -> int:
    match value:
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case _:
            return 0


@given(
    st.recursive(
        st.none() | st.text(alphabet='[]{}"\\a'),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner),
    ),
    st.integers(MAX_DEPTH - 6, MAX_DEPTH),
)
def test_only_what_is_deeper_than_the_bound_is_refused_whatever_its_texts_hold(value: object, wrapped: int) -> None:
    # Enough brackets beside it for the closer look.
    text = "[" * wrapped + json.dumps([value, [[]] * MAX_DEPTH]) + "]" * wrapped
    deep = wrapped + 1 + max(depth_of(value), 2) > MAX_DEPTH
    try:
        decode_json(text, object)
    except InvalidRequest:
        assert deep
    else:
        assert not deep


@given(st.binary() | st.text(alphabet='{}[]"\\,:a1ud8', max_size=400).map(str.encode))
def test_any_bytes_are_a_value_or_a_request_error(data: bytes) -> None:
    try:
        decode_json(data, dict[str, list[int]])
    except (InvalidJson, InvalidRequest) as error:
        error.message.encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_value_arrives_as_it_was(value: object) -> None:
    assert decode_json(json.dumps(value), object) == value
