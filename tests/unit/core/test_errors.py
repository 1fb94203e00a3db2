"""The tree of errors: each has a code of its own, and becomes a fault that leaks nothing."""

from collections.abc import Iterator

import msgspec
import pytest

from parlance.core.deltas import Noted
from parlance.core.errors import HostRateLimited, ParlanceError, fault_of


def tree(of: type[ParlanceError]) -> Iterator[type[ParlanceError]]:
    yield of
    for kind in of.__subclasses__():
        yield from tree(kind)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in tree(ParlanceError) if not kind.__subclasses__()]
    assert len(codes) == len(set(codes))


def test_every_error_has_a_status_of_an_error_and_a_title() -> None:
    for kind in tree(ParlanceError):
        assert 400 <= kind.status < 600
        assert kind.title
        assert kind.code == kind.code.lower()


def test_an_error_becomes_a_fault_with_all_that_a_caller_may_know() -> None:
    fault = fault_of(HostRateLimited("The host lab limits our rate.", host="lab", retry_after=3))
    assert (fault.code, fault.message) == ("upstream_rate_limited", "The host lab limits our rate.")
    assert (fault.retryable, fault.retry_after) == (True, 3)


@pytest.mark.parametrize(
    ("said", "told"), [("half \ud83d.", "half \ufffd."), ("whole \ud83d\ude00", "whole 😀"), ("é", "é")]
)
def test_a_text_from_outside_can_not_break_the_frame_that_tells_it(said: str, told: str) -> None:
    error = HostRateLimited(said)
    assert (error.message, str(error), fault_of(error).message) == (told, told, told)
    assert Noted("upstream_text_mended", said).message == told
    msgspec.json.encode(fault_of(error))


def test_a_bug_is_told_without_its_details() -> None:
    fault = fault_of(ValueError("the password is hunter2"))
    assert fault.code == "internal_error"
    assert "hunter2" not in fault.message
