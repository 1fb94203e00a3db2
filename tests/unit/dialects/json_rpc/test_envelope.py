"""Frames of any content as calls, and what answers them."""

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from parlance.dialects.json_rpc.envelope import (
    NULL,
    Call,
    Invalid,
    decode_frame,
    encode_error,
    encode_responses,
    encode_result,
)
from parlance.dialects.json_rpc.faults import RpcError
from parlance.dialects.json_rpc.wire import Done


def test_a_request_keeps_its_id_and_its_parameters_as_they_were_written() -> None:
    frame = decode_frame(' {"jsonrpc":"2.0", "id": "\\u0061", "method":"m", "params": {"n": 1.0} } ')
    assert not frame.batch
    (call,) = frame.items
    assert isinstance(call, Call)
    assert call.id is not None
    assert (bytes(call.id), call.method, bytes(call.params)) == (b'"\\u0061"', "m", b'{"n": 1.0}')


def test_unknown_members_are_passed_over() -> None:
    assert isinstance(decode_frame('{"jsonrpc":"2.0","method":"m","extra":[{}]}').items[0], Call)


def test_responses_of_a_batch_are_one_array_and_of_notifications_nothing() -> None:
    batch = decode_frame('[{"jsonrpc":"2.0","method":"m"}]')
    single = decode_frame('{"jsonrpc":"2.0","method":"m"}')
    result = encode_result(Raw(b"1"), Done("received"))
    assert json.loads(result) == {"jsonrpc": "2.0", "id": 1, "result": {"status": "received"}}
    assert encode_responses(batch, []) is encode_responses(single, []) is None
    assert encode_responses(single, [result]) == result.decode()
    error = encode_error(NULL, RpcError(-32600, "x"))
    assert json.loads(encode_responses(batch, [result, error]) or "") == [json.loads(result), json.loads(error)]
    assert json.loads(error) == {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "x"}}


TOO_LONG = "9" * 5_000
"""A whole number with more digits than Python reads as one."""


def request(id: str) -> str:
    return f'{{"jsonrpc":"2.0","id":{id},"method":"m"}}'


def batch(items: Sequence[str]) -> str:
    return f"[{','.join(items)}]"


@pytest.mark.requirement("json_rpc:rules:id")
def test_a_number_of_any_length_is_an_id_alone_and_in_a_batch() -> None:
    alone = decode_frame(request(TOO_LONG)).items
    several = decode_frame(batch([request(TOO_LONG), request(f"-{TOO_LONG}")])).items
    ids = [bytes(item.id or NULL).decode() for item in (*alone, *several) if isinstance(item, Call)]
    assert ids == [TOO_LONG, TOO_LONG, f"-{TOO_LONG}"]


@pytest.mark.requirement("json_rpc:rules:id:in_flight")
@pytest.mark.parametrize(
    ("first", "second"), [(TOO_LONG, TOO_LONG), ("0", "-0"), ('"a"', '"\\u0061"')], ids=["long", "zero", "escaped"]
)
def test_an_id_that_stands_twice_is_refused_however_it_is_written(first: str, second: str) -> None:
    kept, refused = decode_frame(batch([request(first), request(second)])).items
    assert isinstance(kept, Call)
    assert isinstance(refused, Invalid)
    assert bytes(refused.id) == b"null"
    assert len(refused.error.message) < 200


members: dict[str, st.SearchStrategy[object]] = {
    "jsonrpc": st.sampled_from(["2.0", "1.0", 2, None]),
    "id": st.none() | st.integers() | st.text() | st.floats(allow_nan=False) | st.booleans() | st.lists(st.integers()),
    "method": st.sampled_from(["cancel", "", 1, None]),
    "params": st.sampled_from([{}, [], None, "x", 1]),
}
items = st.fixed_dictionaries({}, optional=members) | st.integers() | st.none() | st.text()
texts = items.map(json.dumps) | st.sampled_from([TOO_LONG, f"-{TOO_LONG}", "-0", "0"]).map(request)


@given(st.text() | texts | st.lists(texts, max_size=6).map(batch))
@example(batch([request(TOO_LONG)]))
def test_any_frame_is_calls_and_refusals(text: str) -> None:
    for item in decode_frame(text).items:
        if isinstance(item, Call):
            assert item.id is None or isinstance(json.loads(bytes(item.id), parse_int=Decimal), Decimal | str | None)
        else:
            assert isinstance(item, Invalid)
            assert item.error.code in (-32700, -32600)
            assert json.loads(encode_error(item.id, item.error))["error"]["message"]
