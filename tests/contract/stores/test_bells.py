"""What all bells promise: they ring for what was kept, and bring words to whoever runs a turn."""

import pytest

from parlance.core.ids import CallId, TurnId, new_owner_id
from parlance.core.stores.turns import Word
from parlance.core.tool import Answer
from tests.contract.stores.turn_world import Keepers, a_piece, a_step, an_ending
from tests.contract.stores.turn_world import keepers as keepers


class Rung:
    """Counts how often it was woken."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1

    def now(self) -> bool:
        """Whether it was woken since it was asked last."""
        times, self.times = self.times, 0
        return times > 0


@pytest.mark.requirement("stores:turns:bells")
async def test_a_turn_rings_when_it_grows_and_when_it_ends(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    other = (await keepers.accept()).turn
    rung = Rung()
    leave = keepers.bells.subscribe(turn.id, rung)
    step = a_step("one")
    await keepers.turns.keep([a_piece(turn, step[:2])])
    assert rung.now()
    await keepers.turns.end(an_ending(other, step))
    assert not rung.now()
    await keepers.turns.end(an_ending(turn, step[2:], first=4))
    assert rung.now()
    leave()
    leave()


async def test_a_turn_rings_when_somebody_else_ends_it(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    rung = Rung()
    keepers.bells.subscribe(turn.id, rung)
    await keepers.leases.sweep()
    assert rung.now()


async def test_a_process_that_gives_its_lease_back_is_heard(keepers: Keepers) -> None:
    rung, owner = Rung(), new_owner_id()
    leave = keepers.bells.await_departures(rung)
    await keepers.leases.hold(owner, 60)
    assert not rung.now()
    await keepers.leases.release(owner)
    assert rung.now()
    leave()
    await keepers.leases.release(owner)
    assert not rung.now()


async def test_a_chat_rings_for_a_new_turn_and_for_its_end(keepers: Keepers) -> None:
    chat = await keepers.chat()
    rung = Rung()
    keepers.bells.subscribe(chat, rung)
    turn = (await keepers.accept(chat)).turn
    assert rung.now()
    await keepers.turns.end(an_ending(turn, []))
    assert rung.now()


async def test_who_has_left_is_not_woken(keepers: Keepers) -> None:
    chat = await keepers.chat()
    rung, stays = Rung(), Rung()
    leave = keepers.bells.subscribe(chat, rung)
    keepers.bells.subscribe(chat, stays)
    leave()
    await keepers.accept(chat)
    assert (rung.now(), stays.now()) == (False, True)


@pytest.mark.requirement("stores:turns:words")
async def test_words_reach_the_owner_once_and_in_order(keepers: Keepers) -> None:
    owner, other = new_owner_id(), new_owner_id()
    turn = (await keepers.accept(owner=owner)).turn
    rung = Rung()
    keepers.bells.attend(owner, rung)
    words = [
        Word(turn=turn.id, answers=(Answer(CallId("call_1"), "42"), Answer(CallId("call_2"), "no", is_error=True))),
        Word(turn=turn.id, stop="cancelled"),
    ]
    for word in words:
        assert await keepers.bells.send(word)
    assert rung.now()
    assert await keepers.bells.words_for(other) == ()
    assert list(await keepers.bells.words_for(owner)) == words
    assert await keepers.bells.words_for(owner) == ()


@pytest.mark.parametrize("id", ["0199a8c0-0000-7000-8000-000000000000", "no id"])
async def test_nobody_hears_words_for_a_turn_that_is_not_there(keepers: Keepers, id: str) -> None:
    assert not await keepers.bells.send(Word(turn=TurnId(id)))


async def test_nobody_hears_words_for_a_turn_that_has_ended(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.bells.send(Word(turn=turn.id, stop="cancelled"))
    await keepers.leases.sweep()
    assert not await keepers.bells.send(Word(turn=turn.id, stop="cancelled"))


async def test_words_that_the_dead_did_not_hear_are_for_who_takes_over(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.turns.state(turn.id, turn.epoch, "waiting")
    word = Word(turn=turn.id, answers=(Answer(CallId("call_1"), "42"),))
    assert await keepers.bells.send(word)
    mine = new_owner_id()
    assert len(await keepers.leases.adopt(mine)) == 1
    assert await keepers.bells.words_for(mine) == (word,)
