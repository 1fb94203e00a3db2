"""The oldest turns give way, whole, and the newest message never does."""

from hypothesis import given
from hypothesis import strategies as st

from parlance.core.estimate import message_tokens
from parlance.core.ids import CallId, MessageId
from parlance.core.messages import Message, Role, system_message, user_message
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.provider import Notice
from parlance.core.requests import Request
from parlance.core.transcript import tool_message
from parlance.engine.prepare.history_budget import HistoryBudget, keep_within
from tests.unit.engine.prepare.facts import FACTS

CALL = ToolCall(CallId("c"), "now", "{}")


def assistant(text: str) -> Message:
    return Message(MessageId(text), "assistant", (Text(text),))


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
    assert keep_within(messages, tokens(*messages)) is messages


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


ROLES: st.SearchStrategy[Role] = st.sampled_from(["system", "user", "assistant", "tool"])
MESSAGES = st.lists(
    st.builds(lambda role, size: Message(MessageId("m"), role, (Text("x" * size),)), ROLES, st.integers(0, 80)),
    max_size=12,
).map(tuple)


@given(MESSAGES, st.integers(0, 150))
def test_what_is_kept_is_the_rules_and_an_unbroken_end_that_begins_with_a_user(
    messages: tuple[Message, ...], budget: int
) -> None:
    kept = keep_within(messages, budget)
    said = [message for message in messages if message.role != "system"]
    left = [message for message in kept if message.role != "system"]
    assert [message for message in kept if message.role == "system"] == [m for m in messages if m.role == "system"]
    assert not left or left == said[-len(left) :]
    users = [message for message in said if message.role == "user"]
    if kept != messages:
        assert left
        assert left[0].role == "user"
        assert tokens(*kept) <= budget or sum(message.role == "user" for message in left) == 1
    assert not users or left


async def test_the_caller_is_told_how_much_was_left_out() -> None:
    request = Request("fast", (*OLD, *NEW))
    prepared = await HistoryBudget(tokens(*NEW)).prepare(request, FACTS)
    assert prepared.request.messages == NEW
    assert prepared.notices == (
        Notice("history_trimmed", "The oldest 3 messages were left out: the history is over its budget."),
    )
    untouched = await HistoryBudget(10_000).prepare(request, FACTS)
    assert untouched.request is request
    assert not untouched.notices
