"""The comparison of pages with what came is strict where it should be, and lets ids be ids."""

import pytest

from tests.docs.agreement import Mismatch, Names, match_lines
from tests.docs.pages import Block

SHOWN = '{"meta":{"turn_id":"one"},"cursor":"aa11-1"}'


def test_ids_may_differ_and_are_kept() -> None:
    names = Names()
    match_lines([SHOWN, "..."], ['{"meta":{"turn_id":"0199"},"cursor":"f3-1"}', '{"done":true}'], names)
    assert names.put_into("/chat/one?after=aa11-1") == "/chat/0199?after=f3-1"


@pytest.mark.parametrize(
    "came",
    [
        '{"meta":{"turn_id":"0199"},"cursor":"f3-2"}',
        '{"meta":{"turn_id":"0199"}}',
        '{"meta":{"turn_id":"0199","more":1},"cursor":"f3-1"}',
        '{"meta":{"turn_id":7},"cursor":"f3-1"}',
        "no JSON",
    ],
)
def test_all_else_must_be_as_shown(came: str) -> None:
    with pytest.raises(Mismatch):
        match_lines([SHOWN], [came], Names())


def test_one_id_stands_for_one() -> None:
    with pytest.raises(Mismatch):
        match_lines(['{"id":"x"}', '{"id":"x"}'], ['{"id":"1"}', '{"id":"2"}'], Names())


def test_nothing_may_come_besides() -> None:
    with pytest.raises(Mismatch):
        match_lines(["one"], ["one", "two"], Names())
    with pytest.raises(Mismatch):
        match_lines(["one", "...", "three"], ["one", "two"], Names())


@pytest.mark.parametrize("task", ["", "not run", "not run: because", "serve"])
def test_a_block_that_is_left_out_says_why(task: str) -> None:
    assert not Block(1, "javascript", task, "").known
