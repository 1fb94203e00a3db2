"""What every store of turns promises: how one is accepted, kept and ended."""

import asyncio

import pytest
from msgspec import structs

from parlance.core.errors import (
    AlreadyExists,
    ChatBusy,
    ChatNotFound,
    ChatQueueFull,
    IdempotencyKeyReused,
    InvalidRequest,
    SubtenantNotFound,
    TurnInterrupted,
    TurnNotFound,
)
from parlance.core.events import TextGrew, TurnEnded
from parlance.core.ids import ChatId, TurnId, new_chat_id, new_owner_id, new_turn_id
from parlance.core.stores import Page
from parlance.core.stores.chats import NewChat
from parlance.core.stores.turns import Ending, Piece
from tests.contract.stores.turn_world import (
    HOME,
    USAGE,
    Keepers,
    a_key,
    a_new_turn,
    a_piece,
    a_step,
    an_ending,
    ids,
    texts,
)
from tests.contract.stores.turn_world import keepers as keepers


@pytest.mark.requirement("stores:turns:accepted")
async def test_a_turn_is_accepted_with_its_message_and_its_first_event(keepers: Keepers) -> None:
    chat = await keepers.chat()
    new = a_new_turn(chat, "hello")
    accepted = await keepers.turns.accept(new)
    turn = accepted.turn
    assert (turn.position, turn.state, turn.head, turn.epoch) == (1, "running", 1, new.epoch)
    assert (turn.subtenant, turn.principal, turn.owner) == (HOME, new.principal, new.owner)
    assert (accepted.repeated, accepted.ahead, accepted.chat.id) == (False, (), chat)
    assert await keepers.turns.find(turn.id, HOME) == turn
    assert (await keepers.turns.events(turn.id)).events == ((1, new.started),)
    assert await texts(keepers, chat) == [("user", "hello", None)]


@pytest.mark.requirement("stores:turns:accepted")
async def test_a_chat_may_be_made_with_its_first_turn(keepers: Keepers) -> None:
    new_chat = NewChat(id=new_chat_id(), subtenant_id=HOME, title="Title", enabled_functions=())
    accepted = await keepers.accept(new_chat.id, new_chat=new_chat)
    assert accepted.chat == await keepers.chats.find(new_chat.id, HOME)
    assert (accepted.chat.title, accepted.chat.enabled_functions) == ("Title", ())
    assert (await keepers.accept(new_chat.id)).turn.position == 2


async def test_a_new_chat_needs_a_subtenant_in_reach_and_an_id_of_its_own(keepers: Keepers) -> None:
    nobodys = NewChat(id=new_chat_id(), subtenant_id="nobody")
    with pytest.raises(SubtenantNotFound):
        await keepers.accept(nobodys.id, new_chat=nobodys)
    foreign = NewChat(id=new_chat_id(), subtenant_id=HOME)
    with pytest.raises(SubtenantNotFound):
        await keepers.accept(foreign.id, new_chat=foreign, reach="other")
    taken = NewChat(id=await keepers.chat(), subtenant_id=HOME)
    with pytest.raises(AlreadyExists):
        await keepers.accept(taken.id, new_chat=taken)
    unholdable = NewChat(id=new_chat_id(), subtenant_id=HOME, title="a\0b")
    with pytest.raises(InvalidRequest):
        await keepers.accept(unholdable.id, new_chat=unholdable)


async def test_a_choice_of_tools_that_no_database_holds_is_refused(keepers: Keepers) -> None:
    chat = await keepers.chat()
    new = a_new_turn(chat)
    for chosen in ("enabled_functions", "enabled_mcp_tools"):
        with pytest.raises(InvalidRequest, match=chosen):
            await keepers.turns.accept(structs.replace(new, **{chosen: ("a\0b",)}))
    assert await texts(keepers, chat) == []


@pytest.mark.parametrize("chat", ["0199a8c0-0000-7000-8000-000000000000", "no id", "", "a\0b"])
async def test_a_chat_that_is_not_there_takes_no_turn(keepers: Keepers, chat: str) -> None:
    with pytest.raises(ChatNotFound):
        await keepers.accept(ChatId(chat))


async def test_a_chat_out_of_reach_takes_no_turn(keepers: Keepers) -> None:
    chat = await keepers.chat()
    with pytest.raises(ChatNotFound):
        await keepers.accept(chat, reach="other")
    assert await texts(keepers, chat) == []


async def test_a_turn_waits_behind_those_that_have_not_ended(keepers: Keepers) -> None:
    chat = await keepers.chat()
    first = (await keepers.accept(chat)).turn
    second = await keepers.accept(chat)
    third = await keepers.accept(chat)
    assert [one.turn.state for one in (second, third)] == ["queued", "queued"]
    assert ids(third.ahead) == [first.id, second.turn.id]
    assert not await keepers.turns.ended_before(second.turn)
    await keepers.turns.end(an_ending(first, a_step("done")))
    assert await keepers.turns.ended_before(second.turn)
    assert not await keepers.turns.ended_before(third.turn)
    fourth = await keepers.accept(chat)
    assert (fourth.turn.position, ids(fourth.ahead)) == (4, [second.turn.id, third.turn.id])


@pytest.mark.requirement("stores:turns:policies")
async def test_a_policy_may_refuse_a_chat_that_is_busy(keepers: Keepers) -> None:
    chat = await keepers.chat()
    running = (await keepers.accept(chat, policy="reject")).turn
    with pytest.raises(ChatBusy):
        await keepers.accept(chat, policy="reject")
    await keepers.turns.end(an_ending(running, []))
    assert (await keepers.accept(chat, policy="reject")).turn.position == 2


@pytest.mark.requirement("stores:turns:policies")
async def test_a_queue_is_bounded(keepers: Keepers) -> None:
    chat = await keepers.chat()
    for _ in range(3):
        await keepers.accept(chat, queue=2)
    with pytest.raises(ChatQueueFull):
        await keepers.accept(chat, queue=2)
    assert len(await texts(keepers, chat)) == 3


@pytest.mark.requirement("stores:turns:policies")
async def test_a_turn_that_waits_for_its_caller_hinders_nobody(keepers: Keepers) -> None:
    chat = await keepers.chat()
    waiting = (await keepers.accept(chat)).turn
    await keepers.turns.state(waiting.id, waiting.epoch, "waiting")
    accepted = await keepers.accept(chat, policy="reject")
    assert ids(accepted.ahead) == [waiting.id]
    assert accepted.ahead[0].state == "waiting"


@pytest.mark.requirement("stores:turns:keys")
async def test_a_request_that_comes_again_is_the_turn_it_began(keepers: Keepers) -> None:
    chat = await keepers.chat()
    first = await keepers.accept(chat, key=a_key())
    again = await keepers.accept(chat, key=a_key(), policy="reject")
    assert again.repeated
    assert (again.turn, again.chat) == (first.turn, first.chat)
    assert await keepers.turns.begun(a_key()) == first.turn
    await keepers.turns.end(an_ending(first.turn, a_step("done")))
    assert (await keepers.accept(chat, key=a_key())).turn.state == "completed"
    assert len(await keepers.turns.list(chat, Page(), None)) == 1


async def test_a_request_that_comes_again_makes_no_second_chat(keepers: Keepers) -> None:
    chats = [NewChat(id=new_chat_id(), subtenant_id=HOME) for _ in range(2)]
    accepted = [await keepers.accept(chat.id, key=a_key(), new_chat=chat) for chat in chats]
    assert accepted[0].turn == accepted[1].turn
    assert accepted[1].chat.id == chats[0].id
    with pytest.raises(ChatNotFound):
        await keepers.chats.find(chats[1].id, None)


@pytest.mark.requirement("stores:turns:keys")
async def test_a_key_is_for_one_request(keepers: Keepers) -> None:
    chat = await keepers.chat()
    await keepers.accept(chat, key=a_key(fingerprint=b"this"))
    with pytest.raises(IdempotencyKeyReused):
        await keepers.accept(chat, key=a_key(fingerprint=b"that"))
    with pytest.raises(IdempotencyKeyReused):
        await keepers.turns.begun(a_key(fingerprint=b"that"))
    others = [structs.replace(a_key(), **{name: "another"}) for name in ("home", "key_id", "operation", "key")]
    assert [await keepers.turns.begun(key) for key in others] == [None] * 4
    turns = [(await keepers.accept(chat, key=key)).turn.id for key in others]
    assert len(set(turns)) == 4


async def test_a_refused_request_leaves_its_key_free(keepers: Keepers) -> None:
    chat = await keepers.chat()
    running = (await keepers.accept(chat)).turn
    with pytest.raises(ChatBusy):
        await keepers.accept(chat, key=a_key(), policy="reject")
    await keepers.turns.end(an_ending(running, []))
    assert not (await keepers.accept(chat, key=a_key(), policy="reject")).repeated


@pytest.mark.requirement("stores:turns:keys:race")
async def test_two_hundred_callers_with_one_key_begin_one_turn(keepers: Keepers) -> None:
    chat = await keepers.chat()
    accepted = await asyncio.gather(*(keepers.accept(chat, key=a_key()) for _ in range(200)))
    assert len({one.turn.id for one in accepted}) == 1
    assert sum(not one.repeated for one in accepted) == 1
    assert len(await texts(keepers, chat)) == 1


async def test_those_who_come_at_once_stand_in_the_order_they_came(keepers: Keepers) -> None:
    chat = await keepers.chat()
    accepted = await asyncio.gather(*(keepers.accept(chat, str(number), queue=100) for number in range(50)))
    assert [one.turn.position for one in accepted] == list(range(1, 51))
    assert [text for _, text, _ in await texts(keepers, chat)] == [str(number) for number in range(50)]


@pytest.mark.requirement("stores:turns:groups")
async def test_one_that_is_refused_does_not_fail_those_beside_it(keepers: Keepers) -> None:
    good, busy = await keepers.chat(), await keepers.chat()
    await keepers.accept(busy)
    asked = [
        keepers.accept(good),
        keepers.accept(busy, policy="reject"),
        keepers.accept(new_chat_id()),
        keepers.accept(good),
        keepers.turns.end(an_ending(structs.replace((await keepers.accept()).turn, id=new_turn_id()), [])),
        keepers.accept(good, key=a_key(fingerprint=b"this")),
        keepers.accept(good, key=a_key(fingerprint=b"that")),
        keepers.accept(good),
    ]
    told = await asyncio.gather(*asked, return_exceptions=True)
    kinds = [type(one) for one in told if isinstance(one, BaseException)]
    assert kinds == [ChatBusy, ChatNotFound, TurnNotFound, IdempotencyKeyReused]
    assert len(await texts(keepers, good)) == 4


async def test_pieces_are_kept_in_order(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    events = a_step("one two three four")
    await asyncio.gather(
        *(keepers.turns.keep([a_piece(turn, [event], first)]) for first, event in enumerate(events, 2))
    )
    kept = await keepers.turns.events(turn.id)
    assert list(kept.events[1:]) == list(enumerate(events, 2))
    assert kept.turn.head == len(events) + 1
    assert (await keepers.turns.events(turn.id, 4)).events == kept.events[4:]
    assert (kept.lost, kept.epochs) == (0, ((kept.turn.head, turn.epoch),))


@pytest.mark.requirement("stores:turns:pieces")
async def test_what_is_kept_twice_is_kept_once(keepers: Keepers) -> None:
    """Who was not told that a piece was kept sends it again, together with what came since."""
    turn = (await keepers.accept()).turn
    events = a_step("one two three")
    await keepers.turns.keep([a_piece(turn, events[:3])])
    await keepers.turns.keep([a_piece(turn, events[:3])])
    await keepers.turns.keep([a_piece(turn, events[1:5], 3)])
    ended = await keepers.turns.end(an_ending(turn, events))
    numbers = [number for number, _ in (await keepers.turns.events(turn.id)).events]
    assert numbers == list(range(1, ended.head + 1))


@pytest.mark.requirement("stores:turns:pieces")
async def test_a_hole_is_never_kept(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    with pytest.raises(RuntimeError):
        await keepers.turns.keep([a_piece(turn, [TextGrew(1, "late")], 3)])
    assert (await keepers.turns.find(turn.id, None)).head == 1


async def test_an_ending_brings_messages_status_and_the_last_events(keepers: Keepers) -> None:
    chat = await keepers.chat()
    turn = (await keepers.accept(chat)).turn
    step = a_step("one two")
    await keepers.turns.keep([a_piece(turn, step[:3])])
    ending = an_ending(turn, step[3:], first=5, before=tuple(step[:3]))
    ended = await keepers.turns.end(ending)
    assert (ended.state, ended.finish, ended.usage, ended.fault) == ("completed", "stop", USAGE, None)
    assert ended.ended_at is not None
    assert ended == await keepers.turns.find(turn.id, None)
    kept = (await keepers.turns.events(turn.id)).events
    assert [event for _, event in kept[1:]] == [*step, ending.ended]
    assert await texts(keepers, chat) == [("user", "hello", "completed"), ("assistant", "one two", "completed")]


@pytest.mark.requirement("stores:turns:one_ending")
async def test_a_turn_ends_once(keepers: Keepers) -> None:
    chat = await keepers.chat()
    turn = (await keepers.accept(chat)).turn
    ended = await keepers.turns.end(an_ending(turn, a_step("first")))
    fault = TurnInterrupted("Too late.").fault()
    late = await keepers.turns.end(an_ending(turn, a_step("second"), status="incomplete", fault=fault))
    assert late == ended
    await keepers.turns.keep([a_piece(turn, [TextGrew(1, "late")], ended.head + 1)])
    await keepers.turns.state(turn.id, turn.epoch, "waiting")
    assert await keepers.turns.find(turn.id, None) == ended
    assert [text for _, text, _ in await texts(keepers, chat)] == ["hello", "first"]


async def test_a_whole_turn_may_be_asked_for_at_once(keepers: Keepers) -> None:
    chat = await keepers.chat()
    new = a_new_turn(chat)
    turn = (await keepers.accept(chat)).turn
    step = a_step("one")
    told = await asyncio.gather(
        keepers.turns.state(turn.id, turn.epoch, "running"),
        keepers.turns.keep([a_piece(turn, step[:2])]),
        keepers.turns.end(an_ending(turn, step[2:], first=4)),
        keepers.turns.accept(new),
    )
    assert told[2].state == "completed"
    assert told[3].ahead == ()


async def test_nobody_elses_epoch_is_kept(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.turns.keep([Piece(turn.id, a_new_turn(turn.chat).epoch, 2, [TextGrew(1, "foreign")])])
    await keepers.turns.keep([Piece(new_turn_id(), turn.epoch, 2, [TextGrew(1, "of no turn")])])
    assert (await keepers.turns.find(turn.id, None)).head == 1


@pytest.mark.requirement("stores:turns:reach")
async def test_what_is_out_of_reach_is_not_found(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    for id, reach in ((turn.id, "other"), (new_turn_id(), None), (TurnId("no id"), None), (TurnId("a\0b"), None)):
        with pytest.raises(TurnNotFound):
            await keepers.turns.find(id, reach)
    with pytest.raises(TurnNotFound):
        await keepers.turns.events(new_turn_id())
    with pytest.raises(ChatNotFound):
        await keepers.turns.list(turn.chat, Page(), "other")


async def test_turns_are_listed_by_chat_and_by_subtenant(keepers: Keepers) -> None:
    chat, other = await keepers.chat(), await keepers.chat()
    done = await keepers.answered(chat, "one", "two")
    running = (await keepers.accept(chat)).turn
    queued = (await keepers.accept(chat)).turn
    elsewhere = (await keepers.accept(other)).turn
    assert ids(await keepers.turns.list(chat, Page(), HOME)) == [done.id, running.id, queued.id]
    assert ids(await keepers.turns.list(chat, Page(1, 1), None)) == [running.id]
    assert ids(await keepers.turns.list(chat, Page(), None, open_only=True)) == [running.id, queued.id]
    assert ids(await keepers.turns.open_in(HOME)) == [running.id, queued.id, elsewhere.id]
    assert await keepers.turns.open_in("other") == ()


async def test_one_who_stops_waiting_breaks_nothing_for_the_others(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    events = a_step("one two three four five six")
    keeping = [
        asyncio.create_task(keepers.turns.keep([a_piece(turn, [event], first)]))
        for first, event in enumerate(events, 2)
    ]
    await asyncio.sleep(0)
    for task in keeping[::2]:
        task.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)
    await keepers.turns.keep([a_piece(turn, events)])
    kept = await keepers.turns.events(turn.id)
    assert [event for _, event in kept.events[1:]] == events


async def test_texts_that_no_database_holds_are_mended(keepers: Keepers) -> None:
    new = structs.replace(a_new_turn(await keepers.chat()), request_id="a\0b", model="\ud800")
    turn = (await keepers.turns.accept(new)).turn
    assert (turn.request_id, turn.model) == ("a\ufffdb", "\ufffd")
    assert await keepers.turns.find(turn.id, None) == turn


async def test_what_a_turn_was_asked_with_is_told_again(keepers: Keepers) -> None:
    new = structs.replace(a_new_turn(await keepers.chat()), asked=b"\x00\xff")
    turn = (await keepers.turns.accept(new)).turn
    assert await keepers.turns.asked(turn.id) == b"\x00\xff"
    assert await keepers.turns.asked((await keepers.accept()).turn.id) == b""
    with pytest.raises(TurnNotFound):
        await keepers.turns.asked(new_turn_id())


async def test_an_owner_is_kept_with_its_turn(keepers: Keepers) -> None:
    owner = new_owner_id()
    assert (await keepers.accept(owner=owner)).turn.owner == owner


async def test_a_turn_of_a_chat_that_is_gone_can_not_be_ended(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.chats.delete(turn.chat, None)
    ended = TurnEnded("completed")
    with pytest.raises(TurnNotFound):
        await keepers.turns.end(Ending(a_piece(turn, [ended]), ended, ()))
    await keepers.turns.keep([a_piece(turn, [TextGrew(1, "late")])])
