"""The oldest turns give way, whole, and the newest message never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.estimate import message_tokens
from parlance.core.events import Warned
from parlance.core.ids import CallId, MessageId
from parlance.core.messages import Message, system_message, user_message
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.provider import Notice
from parlance.core.requests import Request, ToolSpec
from parlance.core.transcript import tool_message
from parlance.engine.prepare.history_budget import (
    ASSUMED_WINDOW,
    FITS_ANYWHERE,
    HistoryBudget,
    keep_within,
    prompt_room,
)
from parlance.engine.prepare.preparer import Prepared
from parlance.testing.provider import ScriptedProvider
from tests.turns.stage import Stage, ended, of
from tests.unit.engine.prepare.facts import FACTS

CALL = ToolCall(CallId("c"), "now", "{}")


def assistant(text: str) -> Message:
    return Message(MessageId(text), "assistant", (Text(text),))


def result(call_id: str, size: int = 1) -> Message:
    return tool_message(ToolResult(CallId(call_id), "now", "x" * size))


def tokens(*messages: Message) -> int:
    return sum(map(message_tokens, messages))


RULES = system_message("Be kind.")
OLD = (
    user_message("old"),
    Message(MessageId("m"), "assistant", (CALL,)),
    tool_message(ToolResult(CALL.id, "now", "x")),
)
MIDDLE = (user_message("middle"), assistant("yes"))
NEW = (user_message("new"),)


def test_what_fits_stays_as_it_is() -> None:
    messages = (RULES, *OLD, *MIDDLE, *NEW)
    assert keep_within(messages, tokens(*messages)) == messages


def test_the_oldest_turns_are_left_out_whole() -> None:
    messages = (RULES, *OLD, *MIDDLE, *NEW)
    assert keep_within(messages, tokens(*messages) - 1) == (RULES, *MIDDLE, *NEW)
    assert keep_within(messages, tokens(RULES, *MIDDLE, *NEW) - 1) == (RULES, *NEW)


def test_the_newest_message_and_the_rules_stay_however_long() -> None:
    long = user_message("x" * 10_000)
    assert keep_within((RULES, *OLD, long), 5) == (RULES, long)


def test_rules_in_between_keep_their_place() -> None:
    messages = (*OLD, RULES, *NEW)
    assert keep_within(messages, tokens(RULES, *NEW)) == (RULES, *NEW)


def test_no_older_turn_jumps_over_one_that_does_not_fit() -> None:
    large = (user_message("x" * 1_000), assistant("y"))
    messages = (*MIDDLE, *large, *NEW)
    assert keep_within(messages, tokens(*MIDDLE, *NEW)) == NEW


def test_a_history_without_a_user_is_not_emptied() -> None:
    messages = (assistant("x" * 1_000), assistant("y"))
    assert keep_within(messages, 5) == messages


def test_a_result_that_came_behind_the_next_message_keeps_its_call() -> None:
    late = (user_message("x" * 400), Message(MessageId("m"), "assistant", (CALL,)), user_message("well?"), result("c"))
    messages = (*MIDDLE, *late, *NEW)
    assert keep_within(messages, tokens(*late[2:], *NEW)) == NEW
    assert keep_within(messages, tokens(*late, *NEW)) == (*late, *NEW)
    assert keep_within((*MIDDLE, *late), 1) == late


def test_an_id_that_is_used_again_means_the_newest_call() -> None:
    messages = (*OLD, *OLD, *NEW)
    assert keep_within(messages, tokens(*OLD, *NEW)) == (*OLD, *NEW)


SIZES = st.integers(0, 80)
IDS = st.sampled_from("abc")
MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda size: system_message("x" * size), SIZES),
        st.builds(lambda size: user_message("x" * size), SIZES),
        st.builds(lambda size: assistant("x" * size), SIZES),
        st.builds(lambda id: Message(MessageId("m"), "assistant", (ToolCall(CallId(id), "now", "{}"),)), IDS),
        st.builds(result, IDS, SIZES),
    ),
    max_size=14,
).map(tuple)


def orphans(messages: tuple[Message, ...]) -> set[int]:
    """Messages with a result whose call does not stand before it."""
    called: set[CallId] = set()
    alone: set[int] = set()
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                called.add(part.id)
            elif isinstance(part, ToolResult) and part.call_id not in called:
                alone.add(id(message))
    return alone


@given(MESSAGES, st.integers(0, 150))
def test_what_is_kept_is_the_rules_and_an_unbroken_end_that_begins_with_a_user(
    messages: tuple[Message, ...], budget: int
) -> None:
    kept = keep_within(messages, budget)
    said = [message for message in messages if message.role != "system"]
    left = [message for message in kept if message.role != "system"]
    assert [message for message in kept if message.role == "system"] == [m for m in messages if m.role == "system"]
    assert not left or left == said[-len(left) :]
    assert kept == messages or left[0].role == "user"
    assert not said or left[-1] == said[-1]


@pytest.mark.requirement("shaping:history:calls")
@given(MESSAGES, st.integers(0, 150))
def test_no_call_loses_its_results_and_no_result_its_call(messages: tuple[Message, ...], budget: int) -> None:
    # An unbroken end keeps the results of its calls; what may go wrong is at its beginning.
    assert orphans(keep_within(messages, budget)) <= orphans(messages)


@pytest.mark.requirement("shaping:history")
@given(MESSAGES, st.integers(0, 150))
def test_what_is_kept_is_within_the_budget_unless_its_newest_turn_alone_is_not(
    messages: tuple[Message, ...], budget: int
) -> None:
    kept = keep_within(messages, budget)
    if tokens(*kept) > budget:
        assert keep_within(messages, 0) == kept
    assert keep_within(kept, budget) == kept


@given(MESSAGES, st.integers(0, 150), st.integers(0, 50))
def test_more_room_never_keeps_less(messages: tuple[Message, ...], budget: int, more: int) -> None:
    assert len(keep_within(messages, budget + more)) >= len(keep_within(messages, budget))


class Windows:
    """A `ModelWindows` that says this of every model, and keeps what it was asked."""

    def __init__(self, tokens: int | None) -> None:
        self.tokens = tokens
        self.asked: list[tuple[str, str]] = []

    async def window(self, provider: str, model: str) -> int | None:
        self.asked.append((provider, model))
        return self.tokens


LONG = (user_message("x" * 4_000), assistant("y" * 4_000))


async def shaped(
    window: int | None, *messages: Message, reserve: int = 4_096, max_output: int | None = None
) -> Prepared:
    request = Request("small", messages, max_output=max_output)
    return await HistoryBudget(Windows(window), reserve=reserve).prepare(request, FACTS)


async def test_the_caller_is_told_how_much_of_the_history_was_left_out() -> None:
    prepared = await shaped(4_000, RULES, *LONG, *LONG, *MIDDLE, *NEW, reserve=1_000)
    assert prepared.request.messages == (RULES, *LONG, *MIDDLE, *NEW)
    assert prepared.notices == (
        Notice(
            "history_trimmed",
            "2 of 6 earlier messages were left out, oldest first: together they are more than small takes at once.",
        ),
    )


async def test_the_count_stays_the_same_while_a_turn_goes_on() -> None:
    begun = (RULES, *LONG, *LONG, *NEW)
    call = Message(MessageId("m"), "assistant", (CALL,))
    first = await shaped(4_000, *begun, reserve=1_000)
    second = await shaped(4_000, *begun, call, result("c"), reserve=1_000)
    assert first.notices
    assert first.notices == second.notices


async def test_what_fits_is_passed_on_as_it_came() -> None:
    request = Request("small", (*LONG, *NEW))
    prepared = await HistoryBudget(Windows(100_000), reserve=4_096).prepare(request, FACTS)
    assert prepared.request is request
    assert not prepared.notices


async def test_no_window_is_asked_for_where_any_would_do() -> None:
    windows = Windows(8)
    short = Request("small", (user_message("x" * 4 * (FITS_ANYWHERE - 4)),))
    assert (await HistoryBudget(windows, reserve=0).prepare(short, FACTS)).request is short
    assert not windows.asked
    long = Request("small", (*short.messages, user_message("")))
    await HistoryBudget(windows, reserve=0).prepare(long, FACTS)
    assert windows.asked == [("lab", "small")]


async def test_tools_on_offer_take_room_too() -> None:
    budget = HistoryBudget(Windows(4_000), reserve=1_000)
    request = Request("small", (*LONG, *NEW))
    assert (await budget.prepare(request, FACTS)).request is request
    offering = Request("small", (*LONG, *NEW), tools=(ToolSpec("now", "x" * 4_000),))
    assert (await budget.prepare(offering, FACTS)).request.messages == NEW


async def test_a_window_that_nobody_knows_is_the_assumed_one() -> None:
    turn = (user_message("x" * 4 * (ASSUMED_WINDOW // 4)), assistant("y"))
    assert (await shaped(None, *turn, *turn, *turn, *turn, *NEW)).request.messages == (*turn, *turn, *turn, *NEW)


async def test_a_longer_answer_that_the_caller_asks_for_is_kept_free() -> None:
    assert (await shaped(8_000, *LONG, *LONG, *NEW, reserve=500)).request.messages == (*LONG, *LONG, *NEW)
    asked = await shaped(8_000, *LONG, *LONG, *NEW, reserve=500, max_output=4_000)
    assert asked.request.messages == (*LONG, *NEW)


def test_the_answer_never_takes_more_than_half_of_a_window() -> None:
    assert prompt_room(8_192, 100_000) == prompt_room(8_192, 4_096) == 8_192 - 4_096 - 819
    assert prompt_room(200_000, 4_096) == 200_000 - 4_096 - 20_000


@pytest.mark.requirement("shaping:history:newest")
async def test_a_message_over_the_window_is_sent_and_warned_about() -> None:
    long = user_message("x" * 40_000)
    prepared = await shaped(4_000, RULES, *LONG, long)
    assert prepared.request.messages == (RULES, long)
    assert [notice.code for notice in prepared.notices] == ["history_trimmed", "request_too_large"]
    assert "more than the 4000 tokens that small takes" in prepared.notices[1].message
    alone = await shaped(4_000, long)
    assert [notice.code for notice in alone.notices] == ["request_too_large"]
    assert alone.request.messages == (long,)


@pytest.mark.requirement("shaping:history:said")
async def test_what_was_left_out_of_the_history_is_said_in_the_turns_record() -> None:
    provider = ScriptedProvider(name="lab")
    windows = Windows(4_000)
    stage = Stage(provider, preparers=(HistoryBudget(windows, reserve=1_000),))
    history = [user_message("x" * 6_000), user_message("y" * 6_000)]
    events = await ended(await stage.start("Hi", history=history))
    assert windows.asked == [("lab", "fast")]
    assert [message.text[0] for message in provider.requests[0].messages] == ["y", "H"]
    assert [(warned.code, warned.message[:22]) for warned in of(events, Warned)] == [
        ("history_trimmed", "1 of 2 earlier message")
    ]
