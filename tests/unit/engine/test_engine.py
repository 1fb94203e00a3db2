"""Starting and finding turns: limits, ownership, names, retention, the same request twice."""

import asyncio

import pytest

from parlance.core.errors import (
    ModelNotFound,
    Overloaded,
    TooManyAtOnce,
    TurnNotFound,
)
from parlance.core.events import TurnStarted
from parlance.core.ids import KeyId
from parlance.core.messages import user_message
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import Target
from parlance.core.requests import Request
from parlance.engine.ask import Ask, EngineOptions
from parlance.engine.idempotency import Idempotency
from parlance.testing.clock import settle
from parlance.testing.models import FixedModels
from parlance.testing.provider import ScriptedProvider, answering, calling
from parlance.tools.from_function import tool_from_function
from tests.turns.stage import Stage, asked, ended, here, of

ACME = Principal("subtenant", KeyId("acme-key"), "acme")
ACME_TOO = Principal("subtenant", KeyId("acme-other"), "acme")
GLOBEX = Principal("subtenant", KeyId("globex-key"), "globex")
SERVICE = Principal("service", KeyId("service-key"))


def stalling() -> ScriptedProvider:
    return ScriptedProvider([asyncio.Event()])


async def test_what_was_accepted_is_said_at_once() -> None:
    turn = await Stage(stalling()).start("Hello")
    (started,) = of(turn.log.read(), TurnStarted)
    assert started.turn == turn.id
    assert started.model == "fast"
    assert started.input is not None
    assert started.input.text == "Hello"
    turn.stop("cancelled")
    await ended(turn)


async def test_the_model_asked_for_may_be_none() -> None:
    stage = Stage()
    request = Request(model="", messages=(user_message("Hi"),))
    turn = here(await stage.engine.start(Ask(LOCAL_ADMIN, "door", "r", request)))
    await ended(turn)
    assert turn.facts.model == "fast"
    assert of(turn.log.read(), TurnStarted)[0].input is None


async def test_a_model_that_does_not_exist_begins_nothing() -> None:
    stage = Stage()
    with pytest.raises(ModelNotFound):
        await stage.engine.start(Ask(LOCAL_ADMIN, "door", "r", Request(model="none", messages=())))
    assert stage.engine.running == 0


async def test_history_comes_before_the_message_to_answer() -> None:
    stage = Stage()
    await ended(await stage.start("second", history=[user_message("first")]))
    assert [message.text for message in asked(stage.provider, 1).messages] == ["first", "second"]


async def test_the_server_runs_no_more_turns_than_its_limit() -> None:
    stage = Stage(stalling(), options=EngineOptions(turns=2))
    first, second = await stage.start(), await stage.start()
    with pytest.raises(Overloaded, match="server's limit") as caught:
        await stage.start()
    assert caught.value.retry_after
    assert stage.engine.running == 2
    first.stop("cancelled")
    await ended(first)
    third = await stage.start()
    for turn in (second, third):
        turn.stop("cancelled")
        await ended(turn)


async def test_a_key_runs_no_more_turns_than_its_limit_and_others_are_not_hurt() -> None:
    stage = Stage(stalling(), options=EngineOptions(turns_per_key=1))
    mine = await stage.start(principal=ACME)
    with pytest.raises(TooManyAtOnce, match="this key"):
        await stage.start(principal=ACME)
    others = [await stage.start(principal=one) for one in (ACME_TOO, GLOBEX, LOCAL_ADMIN, LOCAL_ADMIN)]
    mine.stop("cancelled")
    await ended(mine)
    others.append(await stage.start(principal=ACME))
    await stage.engine.close()
    assert all(turn.ended for turn in others)


class Slow(FixedModels):
    """Names that take a while to look up."""

    async def resolve(self, name: str | None, principal: Principal, *, door: str) -> Target:
        await settle()
        return await super().resolve(name, principal, door=door)


async def test_limits_hold_for_turns_whose_names_are_looked_up_at_the_same_time() -> None:
    stage = Stage(options=EngineOptions(turns=3), models=Slow({"fast": stalling()}))
    begun = await asyncio.gather(*(stage.start() for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Overloaded) for one in begun) == 5
    assert stage.engine.running == 3
    await stage.engine.close()


@pytest.mark.parametrize("who", [ACME, ACME_TOO, SERVICE, LOCAL_ADMIN])
async def test_a_turn_is_found_by_those_who_may_see_it(who: Principal) -> None:
    stage = Stage()
    turn = await stage.start(principal=ACME, request_id="mine")
    assert await stage.engine.find(turn.id, who) is turn
    assert stage.engine.find_request("mine", who) is turn
    await ended(turn)
    assert await stage.engine.find(turn.id, who) is turn
    await stage.engine.close()


@pytest.mark.parametrize("who", [GLOBEX, Principal("subtenant", KeyId("homeless"))])
async def test_a_turn_of_another_subtenant_is_not_found(who: Principal) -> None:
    stage = Stage()
    turn = await stage.start(principal=ACME, request_id="mine")
    with pytest.raises(TurnNotFound) as foreign:
        await stage.engine.find(turn.id, who)
    with pytest.raises(TurnNotFound):
        stage.engine.find_request("mine", who)
    with pytest.raises(TurnNotFound) as absent:
        await stage.engine.find("nothing", who)
    assert absent.value.message.replace("nothing", turn.id) == foreign.value.message
    await stage.engine.close()


async def test_a_turn_is_found_by_its_request_id_where_that_names_one_of_ones_own_and_no_other() -> None:
    stage = Stage()
    mine = await stage.start(principal=ACME, request_id="r")
    foreign = await stage.start(principal=GLOBEX, request_id="r")
    assert stage.engine.find_request("r", ACME) is mine
    assert stage.engine.find_request("r", GLOBEX) is foreign
    await stage.start(principal=ACME, request_id="r")
    with pytest.raises(TurnNotFound, match="2 turns bear"):
        stage.engine.find_request("r", ACME)
    with pytest.raises(TurnNotFound, match="No turn"):
        stage.engine.find_request("another", ACME)
    await stage.engine.close()


async def test_a_forgotten_turn_s_request_id_is_free_for_another() -> None:
    stage = Stage(options=EngineOptions(live_retention=0))
    await ended(await stage.start(request_id="r"))
    await settle()
    again = await stage.start(request_id="r")
    assert stage.engine.find_request("r", LOCAL_ADMIN) is again
    await stage.engine.close()


async def test_an_ended_turn_is_forgotten_after_its_retention() -> None:
    stage = Stage(options=EngineOptions(live_retention=0))
    turn = await stage.start()
    await ended(turn)
    await settle()
    with pytest.raises(TurnNotFound):
        await stage.engine.find(turn.id, LOCAL_ADMIN)
    assert stage.journal.find(turn.id) is None


async def test_an_ended_turn_is_kept_for_its_retention() -> None:
    stage = Stage()
    turn = await stage.start()
    events = await ended(turn)
    await settle()
    assert (await stage.engine.find(turn.id, LOCAL_ADMIN)).log.read() == events
    await stage.engine.close()
    assert stage.journal.find(turn.id) is None


async def test_the_oldest_ended_turns_give_way_when_memory_is_full() -> None:
    stage = Stage(ScriptedProvider(answering("x" * 10_000)), options=EngineOptions(live_memory=110_000))
    turns = []
    for _ in range(5):
        turns.append(await stage.start())
        await ended(turns[-1])
        await settle()
    kept = [stage.journal.find(turn.id) is not None for turn in turns]
    assert kept[-1]
    assert not kept[0]
    assert kept == sorted(kept)
    await stage.engine.close()


async def test_what_ended_turns_were_asked_and_what_their_tools_returned_counts_as_memory_too() -> None:
    def look_up() -> str:
        """Much text."""
        return "x" * 50_000

    provider = ScriptedProvider(calling(("look_up", "{}")), answering("done"))
    stage = Stage(provider, tool_from_function(look_up), options=EngineOptions(live_memory=100_000))
    first = await stage.start("y" * 40_000)
    await ended(first)
    await settle()
    assert await stage.engine.find(first.id, LOCAL_ADMIN) is first
    second = await stage.start("z" * 40_000)
    await ended(second)
    await settle()
    with pytest.raises(TurnNotFound):
        await stage.engine.find(first.id, LOCAL_ADMIN)
    await stage.engine.close()


async def test_the_newest_ended_turn_is_kept_however_large() -> None:
    stage = Stage(ScriptedProvider(answering("x" * 10_000)), options=EngineOptions(live_memory=10))
    for _ in range(2):
        turn = await stage.start()
        await ended(turn)
        await settle()
        assert await stage.engine.find(turn.id, LOCAL_ADMIN) is turn
    await stage.engine.close()


async def test_an_ended_turn_holds_nothing_but_its_log() -> None:
    stage = Stage()
    turn = await stage.start()
    await ended(turn)
    await settle()
    assert turn.request.messages == ()
    assert not turn.messages
    assert not turn.tools
    await stage.engine.close()


async def test_the_same_request_twice_at_once_is_one_turn() -> None:
    stage = Stage(models=Slow({"fast": ScriptedProvider()}))
    key = Idempotency.of("key", b"Hi")
    first, second = await asyncio.gather(stage.start(idempotency=key), stage.start(idempotency=key))
    assert first is second
    await ended(first)
    assert await stage.start(idempotency=key) is first
    assert len(of(first.log.read(), TurnStarted)) == 1
    await stage.engine.close()
