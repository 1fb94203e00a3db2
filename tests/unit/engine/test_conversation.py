"""The history of a connection that is a conversation by itself."""

import asyncio

from parlance.core.errors import HostFailed
from parlance.core.estimate import message_tokens
from parlance.core.messages import Message, system_message, user_message
from parlance.engine.conversation import Conversation
from parlance.engine.turn_state import Turn
from parlance.testing.clock import settle
from parlance.testing.provider import Act, ScriptedProvider, answering
from tests.probes.leaks import LeakProbe
from tests.turns.stage import Stage, ended

PLENTY = 10_000


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [message.text for message in messages]


async def talk(conversation: Conversation, *answers: str) -> list[Turn]:
    """Turns that have ended, whose questions are their numbers."""
    stage = Stage(ScriptedProvider(*[answering(answer) for answer in answers]))
    turns = []
    for number, _ in enumerate(answers):
        turns.append(await stage.start(str(number)))
        conversation.accept(turns[-1])
        await ended(turns[-1])
    return turns


async def test_a_new_conversation_has_no_history() -> None:
    assert Conversation(PLENTY).history() == ()


async def test_history_is_what_was_asked_and_answered_in_order() -> None:
    conversation = Conversation(PLENTY)
    await talk(conversation, "one", "two")
    assert texts(conversation.history()) == ["0", "one", "1", "two"]
    assert texts(conversation.history()) == ["0", "one", "1", "two"]


async def test_a_turn_that_still_runs_is_left_out_and_takes_its_place_once_it_ended() -> None:
    go = asyncio.Event()
    stage = Stage(ScriptedProvider([go, *answering("slow")], answering("quick")))
    conversation = Conversation(PLENTY)
    slow, quick = await stage.start("first"), await stage.start("second")
    conversation.accept(slow)
    conversation.accept(quick)
    await ended(quick)
    assert texts(conversation.history()) == ["second", "quick"]
    go.set()
    await ended(slow)
    assert texts(conversation.history()) == ["first", "slow", "second", "quick"]
    await stage.engine.close()


async def test_of_a_failed_turn_only_the_question_is_remembered() -> None:
    failing: list[Act] = [*answering("half")[:-1], HostFailed("gone")]
    turn = await Stage(ScriptedProvider(failing)).start("question")
    conversation = Conversation(PLENTY)
    conversation.accept(turn)
    await ended(turn)
    assert texts(conversation.history()) == ["question"]


async def test_the_oldest_turns_are_forgotten_first_and_whole() -> None:
    conversation = Conversation(PLENTY)
    await talk(conversation, "one", "two", "three")
    weight = sum(map(message_tokens, conversation.history()))
    tight = Conversation(weight - 1)
    await talk(tight, "one", "two", "three")
    assert texts(tight.history()) == ["1", "two", "2", "three"]
    await talk(tight, "four")
    assert texts(tight.history()) == ["2", "three", "0", "four"]


async def test_a_running_turn_is_not_forgotten() -> None:
    go = asyncio.Event()
    stage = Stage(ScriptedProvider([go, *answering("slow")]))
    slow = await stage.start("first")
    conversation = Conversation(30)
    conversation.accept(slow)
    await talk(conversation, "x" * 200)
    assert conversation.history() == ()
    go.set()
    await ended(slow)
    assert texts(conversation.history()) == ["first", "slow"]
    await stage.engine.close()


async def test_a_turn_that_is_accepted_twice_is_remembered_once() -> None:
    conversation = Conversation(PLENTY)
    turns = await talk(conversation, "one", "two")
    conversation.accept(turns[0])
    assert texts(conversation.history()) == ["0", "one", "1", "two"]
    conversation.accept(turns[0])
    assert texts(conversation.history()) == ["0", "one", "1", "two"]


async def test_history_outlasts_the_turns_that_the_engine_forgot() -> None:
    stage = Stage()
    turn = await stage.start("question")
    conversation = Conversation(PLENTY)
    conversation.accept(turn)
    await ended(turn)
    await settle()
    await stage.engine.close()
    assert texts(conversation.history()) == ["question", "Hello there!"]


async def test_messages_that_are_given_stand_for_what_was_said(leak_probe: LeakProbe) -> None:
    conversation = Conversation(PLENTY)
    await talk(conversation, "one")
    given = (system_message("Be brief."), user_message("a"), user_message("b"))
    conversation.replace(given)
    assert conversation.history() == given
    await talk(conversation, "two")
    assert texts(conversation.history()) == ["Be brief.", "a", "b", "0", "two"]
    conversation.replace(())
    assert conversation.history() == ()


async def test_of_given_messages_the_oldest_turns_are_forgotten_first_and_the_system_message_never() -> None:
    given = (user_message("old"), system_message("Be brief."), user_message("older" * 100), user_message("new"))
    conversation = Conversation(sum(map(message_tokens, given)) - message_tokens(given[0]) - message_tokens(given[2]))
    conversation.replace(given)
    assert texts(conversation.history()) == ["Be brief.", "new"]
