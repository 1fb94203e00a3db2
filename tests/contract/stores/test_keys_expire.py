"""A key is remembered for a day, by the clock of whoever forgets: no longer, and not a second less."""

from datetime import UTC, datetime, timedelta

import pytest

from parlance.app.sweeper import Sweeper, Swept, ages_of
from parlance.config.settings import Settings
from parlance.core.ids import new_owner_id
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.model_calls import InMemoryModelCalls
from parlance.store.in_memory.shelf import Shelf
from tests.contract.stores.turn_world import Keepers, a_key
from tests.contract.stores.turn_world import keepers as keepers

DAY = timedelta(days=1)
MOMENT = timedelta(seconds=5)
"""More than the test takes."""


@pytest.mark.requirement("stores:keys:day")
async def test_a_key_is_remembered_for_a_day(keepers: Keepers) -> None:
    now = [datetime.now(UTC)]
    swept = Swept(keepers.leases, keepers.bells, InMemoryModelCalls(Shelf()), InMemoryAnswers(Shelf()))
    sweeper = Sweeper(new_owner_id(), swept, ages_of(Settings()), now=lambda: now[0])
    chat = await keepers.chat()
    first = await keepers.accept(chat, key=a_key())
    for age, repeated in ((timedelta(0), True), (DAY - MOMENT, True), (DAY + MOMENT, False)):
        now[0] = first.turn.accepted_at + age
        await sweeper._forget_keys()
        assert (await keepers.accept(chat, key=a_key())).repeated is repeated
