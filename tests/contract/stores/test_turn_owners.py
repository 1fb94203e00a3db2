"""What every store promises when a turn changes hands: its old owner changes nothing, and every cursor finds it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from parlance.core.errors import ChatNotFound
from parlance.core.events import TextGrew
from parlance.core.ids import ChatId, Epoch, OwnerId, new_chat_id, new_owner_id
from parlance.core.stores.turns import TurnRecord
from tests.contract.stores.turn_world import HOME, Keepers, a_piece, a_step, an_ending
from tests.contract.stores.turn_world import keepers as keepers

LONG = 3600.0
TOLD = 4
"""Events of a step that are kept before the turn changes hands."""


async def running(keepers: Keepers, chat: ChatId | None = None) -> TurnRecord:
    """A turn of a process that is dead already."""
    turn = (await keepers.accept(chat)).turn
    await keepers.turns.keep([a_piece(turn, a_step("one two")[:TOLD])])
    return await keepers.turns.find(turn.id, None)


async def waiting(keepers: Keepers, chat: ChatId | None = None) -> TurnRecord:
    """The same, where it waits for its caller."""
    turn = await running(keepers, chat)
    await keepers.turns.state(turn.id, turn.epoch, "waiting")
    return await keepers.turns.find(turn.id, None)


async def adopted(keepers: Keepers, by: OwnerId) -> TurnRecord:
    (turn,) = await keepers.leases.adopt(by)
    return turn


async def changes(keepers: Keepers, stale: TurnRecord) -> None:
    """All that an owner may do to a turn, by one who lost it: behind what is kept, and where others went on."""
    for first in (stale.head + 1, stale.head, 2):
        pieces = [a_piece(stale, [TextGrew(1, "stale"), TextGrew(1, "staler")], first)]
        assert await keepers.turns.keep(pieces) == {stale.id}
    for state in ("running", "waiting"):
        await keepers.turns.state(stale.id, stale.epoch, state)
    await keepers.turns.end(an_ending(stale, a_step("stale", 2), first=stale.head + 1))
    await keepers.turns.end(an_ending(stale, [], status="failed", first=stale.head + 1))


async def all_of(keepers: Keepers, turn: TurnRecord) -> tuple[object, ...]:
    return (
        await keepers.turns.find(turn.id, None),
        await keepers.turns.events(turn.id),
        await keepers.messages.all(turn.chat, None),
    )


@pytest.mark.requirement("stores:turns:owners")
async def test_who_lost_a_turn_to_another_owner_changes_nothing_of_it(keepers: Keepers) -> None:
    mine = new_owner_id()
    await keepers.leases.hold(mine, LONG)
    before = await waiting(keepers)
    turn = await adopted(keepers, mine)
    untouched = await all_of(keepers, turn)
    await changes(keepers, before)
    assert await all_of(keepers, turn) == untouched
    await keepers.turns.state(turn.id, turn.epoch, "running")
    assert await keepers.turns.keep([a_piece(turn, a_step("three", 2)[:2], turn.head + 1)]) == frozenset()
    grown = await all_of(keepers, turn)
    assert grown != untouched
    await changes(keepers, before)
    assert await all_of(keepers, turn) == grown
    ended = await keepers.turns.end(an_ending(turn, a_step("three", 2)[2:], first=turn.head + 3))
    assert ended.state == "completed"
    whole = await all_of(keepers, turn)
    await changes(keepers, before)
    await changes(keepers, turn)
    assert await all_of(keepers, turn) == whole


@pytest.mark.requirement("stores:turns:owners")
async def test_what_the_old_and_the_new_owner_ask_for_at_once_is_the_new_ones(keepers: Keepers) -> None:
    """As it comes to one database in one group."""
    mine = new_owner_id()
    await keepers.leases.hold(mine, LONG)
    before = await waiting(keepers)
    turn = await adopted(keepers, mine)
    step = a_step("three", 2)
    await asyncio.gather(
        changes(keepers, before),
        keepers.turns.keep([a_piece(before, step, before.head + 1), a_piece(turn, step[:2], turn.head + 1)]),
        changes(keepers, before),
        keepers.turns.state(turn.id, turn.epoch, "running"),
        keepers.turns.state(before.id, before.epoch, "waiting"),
    )
    kept = await keepers.turns.events(turn.id)
    assert (kept.turn.state, [event for _, event in kept.events[turn.head :]]) == ("running", step[:2])


@pytest.mark.requirement("stores:turns:owners")
async def test_who_lost_a_turn_to_the_sweeper_changes_nothing_of_it(keepers: Keepers) -> None:
    before = await running(keepers)
    assert await keepers.leases.sweep() == (before.id,)
    swept = await all_of(keepers, before)
    await changes(keepers, before)
    assert await all_of(keepers, before) == swept


@pytest.mark.requirement("stores:turns:epochs")
async def test_a_turn_is_found_by_each_epoch_that_it_bore(keepers: Keepers) -> None:
    """One that came by without a word, too: a client of that process has its cursors."""
    chat = await keepers.chat()
    owners = [new_owner_id() for _ in range(3)]
    await keepers.answered(chat, "before", "it")
    turns = [await waiting(keepers, chat)]
    for owner in owners:
        await keepers.leases.hold(owner, LONG)
        turns.append(await adopted(keepers, owner))
        if owner is not owners[-1]:
            await keepers.leases.release(owner)
        if owner is owners[0]:
            await keepers.turns.keep([a_piece(turns[-1], a_step("three", 2), turns[-1].head + 1)])
    await keepers.turns.end(an_ending(turns[-1], [], first=turns[-1].head + 1))
    await keepers.answered(chat, "behind", "it")
    ended = await keepers.turns.find(turns[0].id, None)
    epochs = [turn.epoch for turn in turns]
    assert len(set(epochs)) == len(turns)
    heads = [turns[1].head, turns[2].head, turns[3].head, ended.head]
    assert (await keepers.turns.events(ended.id)).epochs == tuple(zip(heads, epochs, strict=True))
    assert heads[1] == heads[2] > heads[0]
    for epoch in epochs:
        assert await keepers.turns.bearing(chat, epoch, HOME) == ended
    await keepers.leases.trim(datetime.now(UTC) + timedelta(hours=1))
    for epoch in epochs:
        assert await keepers.turns.bearing(chat, epoch, None) == await keepers.turns.find(ended.id, None)


@pytest.mark.requirement("stores:turns:epochs")
async def test_a_turn_that_was_swept_is_found_by_the_epoch_it_had_and_by_the_one_it_has(keepers: Keepers) -> None:
    turn = await running(keepers)
    await keepers.leases.sweep()
    swept = await keepers.turns.find(turn.id, None)
    assert swept.former_epochs == ((turn.head, turn.epoch),)
    for epoch in (turn.epoch, swept.epoch):
        assert await keepers.turns.bearing(turn.chat, epoch, None) == swept


@pytest.mark.parametrize("epoch", ["", "0123456789ab", "a\0b", "\ud800", "x" * 10_000])
async def test_no_turn_bears_what_was_never_given(keepers: Keepers, epoch: str) -> None:
    chat = await keepers.chat()
    assert await keepers.turns.bearing(chat, Epoch(epoch), None) is None
    await keepers.answered(chat, "one", "two")
    assert await keepers.turns.bearing(chat, Epoch(epoch), None) is None


async def test_a_turn_is_found_in_its_own_chat_alone_and_by_whom_it_concerns(keepers: Keepers) -> None:
    chat, other = await keepers.chat(), await keepers.chat()
    lost = await running(keepers, other)
    await keepers.leases.sweep()
    turn = await keepers.answered(chat, "one", "two")
    assert await keepers.turns.bearing(other, turn.epoch, None) is None
    assert await keepers.turns.bearing(chat, lost.epoch, None) is None
    for where, reach in ((chat, "other"), (new_chat_id(), None), (ChatId("no id"), None)):
        with pytest.raises(ChatNotFound):
            await keepers.turns.bearing(where, turn.epoch, reach)
        with pytest.raises(ChatNotFound):
            await keepers.turns.newest(where, reach)


async def test_the_newest_turn_is_the_one_that_was_accepted_last(keepers: Keepers) -> None:
    chat = await keepers.chat()
    assert await keepers.turns.newest(chat, HOME) is None
    await keepers.accept(chat)
    second = (await keepers.accept(chat)).turn
    await keepers.accept()
    assert await keepers.turns.newest(chat, None) == second
