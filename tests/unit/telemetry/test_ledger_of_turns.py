"""The log of model calls as whole turns fill it: answered, failed over, and left in the middle."""

import asyncio
from collections.abc import Sequence

import msgspec

from parlance.core.errors import HostFailed
from parlance.core.events import PartOpened
from parlance.core.ids import KeyId
from parlance.core.principal import Principal
from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter, ModelCall
from parlance.core.usage import Usage
from parlance.routing.candidates import Candidate
from parlance.routing.route import Route
from parlance.store.in_memory.model_calls import InMemoryModelCalls
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.telemetry.ledger import Ledger
from parlance.testing.provider import ScriptedProvider, answering
from tests.turns.stage import Stage, ended, until
from tests.unit.routing.surroundings import Surroundings

ACME = Principal("subtenant", KeyId("acme-key"), "acme")


class Office:
    """An engine with a route over these providers, and the ledger that watches both."""

    def __init__(self, *providers: ScriptedProvider) -> None:
        shelf = Shelf()
        self.subtenants = InMemorySubtenants(shelf)
        self.calls = InMemoryModelCalls(shelf)
        self.ledger = Ledger(self.calls)
        parts = msgspec.structs.replace(Surroundings().parts, observer=self.ledger)
        route = Route([Candidate(provider, "small") for provider in providers], parts)
        self.stage = Stage(route, observer=self.ledger)
        self.ledger.begin()

    async def written(self) -> Sequence[ModelCall]:
        """All of it, oldest first, once the ledger is closed."""
        await self.subtenants.ensure(frozenset({"acme"}))
        await self.ledger.close()
        assert not self.ledger._turns
        return (await self.calls.list(CallFilter(), Page(), "acme"))[::-1]


async def test_each_attempt_of_a_turn_stands_there_for_its_subtenant() -> None:
    failing = ScriptedProvider([HostFailed("down", host="a")], name="a")
    office = Office(failing, ScriptedProvider(answering("Hi", usage=Usage(input=3, output=1)), name="b"))
    turn = await office.stage.start(principal=ACME)
    await ended(turn)
    calls = await office.written()
    assert {call.turn_id for call in calls} == {turn.id}
    assert {(call.subtenant_id, call.request_id, call.door) for call in calls} == {("acme", "request", "door")}
    assert [(call.provider, call.outcome, call.error) for call in calls][-1] == ("b", "answered", None)
    assert {(call.provider, call.outcome, call.error) for call in calls[:-1]} == {("a", "failed", "upstream_failed")}
    assert calls[-1].usage == Usage(input=3, output=1)


async def test_a_call_that_is_left_in_the_middle_counts_for_the_turn_that_left_it() -> None:
    hanging = ScriptedProvider([*answering("Hel")[:-1], asyncio.Event()], name="a")
    office = Office(hanging)
    turn = await office.stage.start(principal=ACME)
    await until(turn, lambda event: isinstance(event, PartOpened))
    turn.stop("cancelled")
    await ended(turn)
    (call,) = await office.written()
    assert (call.turn_id, call.subtenant_id, call.outcome) == (turn.id, "acme", "left")
    assert call.usage is not None
    assert call.usage.estimated


async def test_calls_of_a_subtenant_that_is_gone_hold_up_no_other() -> None:
    office = Office(ScriptedProvider(name="a"))
    await ended(await office.stage.start(principal=Principal("subtenant", KeyId("gone"), "gone")))
    await ended(await office.stage.start(principal=ACME))
    assert [call.subtenant_id for call in await office.written()] == ["acme"]
