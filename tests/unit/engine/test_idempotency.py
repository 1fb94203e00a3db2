"""The same request twice is one turn."""

import asyncio

import pytest

from parlance.core.errors import IdempotencyKeyInvalid, IdempotencyKeyReused
from parlance.core.ids import KeyId
from parlance.core.messages import user_message
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.requests import Request
from parlance.engine.ask import Ask, EngineOptions
from parlance.engine.engine import Engine
from parlance.engine.idempotency import LONGEST_KEY, Idempotency
from parlance.engine.turn_state import EngineParts
from parlance.journal.memory import MemoryJournal
from parlance.telemetry.observers import ObserverList
from parlance.testing.models import FixedModels, FixedToolbox
from parlance.testing.provider import ScriptedProvider

OTHER = Principal(scope="service", key_id=KeyId("other"))


def make_engine(provider: ScriptedProvider, options: EngineOptions) -> Engine:
    parts = EngineParts(ObserverList(()), (), options)
    return Engine(FixedModels({"m": provider}), FixedToolbox(), MemoryJournal(), parts)


def ask(key: str, text: str, *, principal: Principal = LOCAL_ADMIN, door: str = "here") -> Ask:
    message = user_message(text)
    return Ask(principal, door, "r1", Request("m", (message,)), message, Idempotency.of(key, text.encode()))


async def test_the_same_request_under_the_same_key_is_one_turn_and_one_call_of_the_model() -> None:
    provider = ScriptedProvider()
    engine = make_engine(provider, EngineOptions())
    turns = await asyncio.gather(*(engine.start(ask("k", "Hi")) for _ in range(20)))
    await turns[0].finished()
    again = await engine.start(ask("k", "Hi"))
    assert {turn.id for turn in [*turns, again]} == {again.id}
    assert len(provider.requests) == 1
    await engine.close()


async def test_another_request_under_the_key_is_refused_and_begins_nothing() -> None:
    provider = ScriptedProvider()
    engine = make_engine(provider, EngineOptions())
    turn = await engine.start(ask("k", "Hi"))
    with pytest.raises(IdempotencyKeyReused, match="'k'"):
        await engine.start(ask("k", "Something else"))
    await turn.finished()
    assert len(provider.requests) == 1
    await engine.close()


@pytest.mark.parametrize("change", ["principal", "door"])
async def test_keys_of_others_and_of_other_doors_are_other_keys(change: str) -> None:
    engine = make_engine(ScriptedProvider(), EngineOptions())
    mine = await engine.start(ask("k", "Hi"))
    other = ask("k", "Hi", principal=OTHER) if change == "principal" else ask("k", "Hi", door="there")
    assert (await engine.start(other)).id != mine.id
    await engine.close()


async def test_a_key_is_forgotten_with_its_turn() -> None:
    engine = make_engine(ScriptedProvider(), EngineOptions(live_memory=0))
    first = await engine.start(ask("k", "Hi"))
    await first.finished()
    newer = await engine.start(ask("l", "Hi"))
    await newer.finished()
    again = await engine.start(ask("k", "Another text"))
    assert again.id != first.id
    await engine.close()


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1)])
def test_an_empty_or_overlong_key_is_refused(key: str) -> None:
    with pytest.raises(IdempotencyKeyInvalid, match=str(LONGEST_KEY)):
        Idempotency.of(key, b"")


def test_no_key_is_no_idempotency() -> None:
    assert Idempotency.of(None, b"anything") is None
