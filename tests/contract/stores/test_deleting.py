"""What is deleted while somebody writes into it: neither waits for the other, and nobody else hears of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from parlance.core.errors import TurnNotFound
from parlance.core.stores.turns import TurnRecord
from tests.contract.stores.turn_world import Keepers, a_step, an_ending
from tests.contract.stores.turn_world import keepers as keepers

ROUNDS = 21


async def end_and_delete(
    keepers: Keepers, home: str, delete: Callable[[TurnRecord], Awaitable[object]], moment: int
) -> None:
    """A turn ends; at one of several moments of that somebody deletes what it is in."""
    accepted = await keepers.accept(await keepers.chat(home))

    async def end() -> None:
        try:
            await keepers.turns.end(an_ending(accepted.turn, a_step("hello")))
        except TurnNotFound:
            """It went before."""

    async def go() -> None:
        for _ in range(moment % 7):
            await asyncio.sleep(0)
        await delete(accepted.turn)

    await asyncio.gather(end(), go())
    assert await keepers.turns.open_in(home) == ()


@pytest.mark.requirement("stores:deleting")
async def test_a_chat_that_is_deleted_as_its_turn_ends_holds_nobody_up(keepers: Keepers) -> None:
    for number in range(ROUNDS):
        await end_and_delete(keepers, "home", lambda turn: keepers.chats.delete(turn.chat, None), number)


@pytest.mark.requirement("stores:deleting")
async def test_a_subtenant_that_is_deleted_as_a_turn_of_it_ends_holds_nobody_up(keepers: Keepers) -> None:
    for number in range(ROUNDS):
        name = f"guest-{number}"
        await keepers.subtenants.ensure(frozenset({name}))
        await end_and_delete(keepers, name, lambda turn: keepers.subtenants.delete(turn.subtenant, None), number)
