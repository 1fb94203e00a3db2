"""Turns that waited for their callers in another process, where nobody can go on with them, or not yet."""

from typing import Any

import pytest
from msgspec import structs

from parlance.core.errors import HostUnreachable
from parlance.core.events import ToolCalled, ToolReturned, TurnEnded, TurnStarted
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.provider import Target
from parlance.core.tool import Answer
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.stage import of
from tests.unit.engine.test_chat_turns import left_waiting


async def test_a_turn_whose_host_is_away_for_the_moment_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise HostUnreachable("The host lists no models.")

    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), callers=("pick",))
    other = ChatStage(shelves)
    (record,) = await shelves.leases.adopt(other.owner)
    with monkeypatch.context() as patched:
        patched.setattr(other.engine._models, "resolve", away)
        with pytest.raises(HostUnreachable):
            await other.engine.adopt(record)
    assert (await shelves.turns.find(left.id, None)).state == "waiting"
    await other.engine.adopt(record, last=True)
    assert (await other.engine.find(left.id, LOCAL_ADMIN)).waiting
    await other.engine.close()


@pytest.mark.parametrize("closes", ["before", "meanwhile"])
async def test_a_process_that_stops_leaves_what_it_takes_over_for_another(
    monkeypatch: pytest.MonkeyPatch, closes: str
) -> None:
    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), callers=("pick",))
    other = ChatStage(shelves)
    (record,) = await shelves.leases.adopt(other.owner)
    resolve = other.engine._models.resolve

    async def closing(*given: Any, **named: Any) -> Target:
        await other.engine.close()
        return await resolve(*given, **named)

    if closes == "before":
        await other.engine.close()
    else:
        monkeypatch.setattr(other.engine._models, "resolve", closing)
    await other.engine.adopt(record)
    await settle()
    assert other.engine.running == 0
    assert (await shelves.turns.find(left.id, None)).state == "waiting"


async def test_whoever_watches_sees_a_turn_that_is_taken_over_begin_and_its_calls_wait() -> None:
    """Else what its model calls cost would be nobody's."""
    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), ("pick", "{}"), callers=("pick",))
    other = ChatStage(shelves, ScriptedProvider(answering("It is red")))
    (record,) = await shelves.leases.adopt(other.owner)
    await other.engine.adopt(record)
    turn = await other.engine.find(left.id, LOCAL_ADMIN)
    assert [type(event) for event in other.watcher.seen] == [TurnStarted, ToolCalled, ToolCalled]
    await turn.answer([Answer(call.call.id, "red") for call in of(other.watcher.seen, ToolCalled)])
    await heard(turn)
    seen = [type(event) for event in other.watcher.seen]
    assert (seen.count(ToolReturned), seen.count(TurnStarted), seen.count(TurnEnded)) == (2, 1, 1)
    await other.engine.close()


async def test_a_turn_that_no_model_can_go_on_with_ends_incomplete() -> None:
    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), callers=("pick",))
    other = ChatStage(shelves)
    (record,) = await shelves.leases.adopt(other.owner)
    await other.engine.adopt(structs.replace(record, model="gone"))
    found = await other.engine.find(left.id, LOCAL_ADMIN)
    assert found.ending.status == "incomplete"
    assert found.ending.fault is not None
    assert found.ending.fault.code == "interrupted"
    await other.engine.close()
