"""Cursors as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import CursorExpired
from parlance.core.ids import Epoch, new_epoch
from parlance.core.journal import Cursor


@given(st.integers(0, 10**18 - 1))
def test_what_is_encoded_decodes_to_the_same(number: int) -> None:
    cursor = Cursor(new_epoch(), number)
    assert Cursor.decode(cursor.encode()) == cursor


@given(st.text() | st.text(alphabet="abc-0123456789٣²", max_size=24))
def test_any_text_is_a_cursor_or_an_expired_one(text: str) -> None:
    try:
        cursor = Cursor.decode(text)
    except CursorExpired:
        return
    assert cursor.number >= 0
    assert cursor.epoch


@pytest.mark.parametrize(
    "text",
    ["", "-", "a", "5", "-5", "a-", "a-b", "a--", "a-+5", "a- 5", "a-5 ", "a-٣", "a-²", "a-1.0", "a-" + "9" * 19],
)
def test_what_is_no_cursor_is_an_expired_one(text: str) -> None:
    with pytest.raises(CursorExpired, match="snapshot"):
        Cursor.decode(text)


def test_an_epoch_may_hold_a_dash() -> None:
    assert Cursor.decode("a-b-7") == Cursor(Epoch("a-b"), 7)
