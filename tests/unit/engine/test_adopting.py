"""Turns that waited for their callers in another process, where nobody can go on with them, or not yet."""

import pytest
from msgspec import structs

from parlance.core.errors import HostUnreachable
from parlance.core.principal import LOCAL_ADMIN
from tests.turns.chat_stage import ChatStage, Shelves
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
