"""The built-in that tells the time."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import ToolFailed
from parlance.core.json import JsonObject
from parlance.tools.builtin.get_current_time import format_time, get_current_time, local_now, make_get_current_time
from tests.unit.tools.invocations import INVOCATION

NOW = datetime(2026, 3, 5, 7, 8, 9, 123456, timezone(timedelta(hours=2), "HERE"))
tool = make_get_current_time(lambda: NOW)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "2026-03-05 07:08:09"),
        ({"format": ""}, "2026-03-05 07:08:09"),
        ({"format": "%Y-%m-%dT%H:%M:%S%z"}, "2026-03-05T07:08:09+0200"),
        ({"format": "%A, %-d %B, %I:%M %p %Z"}, "Thursday, 5 March, 07:08 AM HERE"),
        ({"format": "100 %% at %H o'clock ☕"}, "100 % at 07 o'clock ☕"),
        ({"timezone": "UTC"}, "2026-03-05 05:08:09"),
        ({"timezone": "Asia/Kathmandu", "format": "%H:%M %z"}, "10:53 +0545"),
        ({"timezone": None}, "2026-03-05 07:08:09"),
        ({"timezone": ""}, "2026-03-05 07:08:09"),
    ],
)
async def test_the_time_is_told_as_asked(arguments: JsonObject, said: str) -> None:
    assert await tool.run(arguments, INVOCATION) == said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"format": "YYYY-MM-DD"}, "no strftime directive"),
        ({"format": "%Y-%Q"}, "'%Q'"),
        ({"format": "%Y %"}, "'%'"),
        ({"format": "%999999999d"}, "'%9'"),
        ({"format": "%Y" * 101}, "202 characters"),
        ({"format": "%Y\0"}, "can't be printed"),
        ({"format": "%Y\ud800"}, "can't be printed"),
        ({"format": 5}, "Expected `str`"),
        ({"timezone": "Berlin"}, "no time zone 'Berlin'"),
        ({"timezone": "../../../etc/passwd"}, "no time zone"),
        ({"timezone": "/etc/localtime"}, "no time zone"),
        ({"timezone": "Europe"}, "no time zone"),
        ({"timezone": "x" * 100_000}, "no time zone"),
        ({"timezone": "UTC\0"}, "no time zone"),
        ({"zone": "UTC"}, "unknown field `zone`"),
    ],
)
async def test_what_cannot_be_told_is_explained(arguments: JsonObject, complaint: str) -> None:
    with pytest.raises(ToolFailed, match=complaint) as failed:
        await tool.run(arguments, INVOCATION)
    assert len(failed.value.message) < 400


@given(st.text(max_size=300) | st.text(alphabet="%YmdHMSQ0129-:. ", max_size=40))
def test_any_format_is_either_told_or_explained_and_never_grows(form: str) -> None:
    with suppress(ToolFailed):
        assert len(format_time(NOW, form)) <= 30 * 200


def test_the_server_tells_its_own_time_with_its_zone() -> None:
    assert local_now().tzinfo is not None
    assert abs(local_now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert get_current_time.spec.name == "get_current_time"
