"""What every log of calls of models promises."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec import structs

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter, ModelCall, UsageTotal
from parlance.core.usage import Usage
from tests.contract.stores.world import NOW, Stores, a_call, a_uuid, new_chat, new_subtenant


async def test_a_call_is_read_as_it_was_written_newest_first(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    full = structs.replace(
        a_call(subtenant),
        chat_id=ChatId(a_uuid()),
        turn_id=TurnId(a_uuid()),
        request_id="req 1",
        number=2,
        outcome="failed",
        error="host_timeout",
        upstream_id="up",
        usage=Usage(1, 2, cached=0, cache_written=4, reasoning=5, estimated=True),
        cost=0.125,
        first=0.25,
    )
    unsaid = structs.replace(a_call(subtenant), usage=Usage())
    bare = a_call(subtenant)
    await stores.model_calls.add((full, unsaid))
    await stores.model_calls.add((bare,))
    await stores.model_calls.add(())
    assert await stores.model_calls.list(CallFilter(), Page(), subtenant) == (bare, unsaid, full)
    assert await stores.model_calls.list(CallFilter(), Page(1, 1), None) == (unsaid,)


async def test_newest_is_what_was_added_last_whatever_the_clock_said(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    calls = [a_call(subtenant, at=at) for at in (5.0, -300.0, 0.0)]
    for call in calls:
        await stores.model_calls.add((call,))
    assert await stores.model_calls.list(CallFilter(), Page(), None) == tuple(reversed(calls))


async def test_a_call_that_is_added_again_is_there_once(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    first, second = a_call(subtenant), a_call(subtenant)
    await stores.model_calls.add((first,))
    await stores.model_calls.add((first, second, second))
    assert await stores.model_calls.list(CallFilter(), Page(), None) == (second, first)


async def test_calls_of_a_subtenant_that_is_gone_are_left_out(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    kept = a_call(subtenant)
    assert await stores.model_calls.add((a_call("nobody"), kept, a_call("null\0"), a_call(""))) == 3
    assert await stores.model_calls.add((kept,)) == 0
    assert await stores.model_calls.list(CallFilter(), Page(), None) == (kept,)


async def test_a_subtenant_that_goes_costs_no_call_of_others(stores: Stores) -> None:
    going, staying = await new_subtenant(stores), await new_subtenant(stores)
    batches = [(a_call(going), a_call(staying)) for _ in range(6)]
    adding = [stores.model_calls.add(batch) for batch in batches]
    await asyncio.gather(*adding[:3], stores.subtenants.delete(going, None), *adding[3:])
    found = await stores.model_calls.list(CallFilter(), Page(), None)
    assert {call.id for call in found} == {batch[1].id for batch in batches}


async def test_calls_outlive_their_chat(stores: Stores) -> None:
    chat = await new_chat(stores)
    call = structs.replace(a_call(chat.subtenant_id), chat_id=chat.id)
    await stores.model_calls.add((call,))
    await stores.chats.delete(chat.id, None)
    assert await stores.model_calls.list(CallFilter(chat=chat.id), Page(), None) == (call,)


@pytest.mark.requirement("stores:calls:whole_batches")
async def test_what_hosts_say_never_costs_a_batch(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    odd = structs.replace(
        a_call(subtenant),
        model="fast\0\ud83d!",
        upstream_id="\0",
        error="e" * 200,
        usage=Usage(10**30, -1, cached=2**53),
    )
    plain = a_call(subtenant)
    await stores.model_calls.add((odd, plain))
    newest, oldest = await stores.model_calls.list(CallFilter(), Page(), None)
    assert newest == plain
    assert (oldest.model, oldest.upstream_id, oldest.error) == ("fast\ufffd\ufffd!", "\ufffd", "e" * 64)
    assert oldest.usage == Usage(None, None, cached=2**53)


FILTERS: dict[str, tuple[CallFilter, Callable[[ModelCall], bool]]] = {
    "all": (CallFilter(), lambda call: True),
    "subtenant": (CallFilter(subtenant="a"), lambda call: call.subtenant_id == "a"),
    "provider": (CallFilter(provider="p1"), lambda call: call.provider == "p1"),
    "model": (CallFilter(model="m0", provider="p0"), lambda call: (call.provider, call.model) == ("p0", "m0")),
    "since": (CallFilter(since=NOW + timedelta(seconds=3)), lambda call: call.created_at >= NOW + timedelta(seconds=3)),
    "until": (CallFilter(until=NOW + timedelta(seconds=3)), lambda call: call.created_at < NOW + timedelta(seconds=3)),
    "odd texts": (CallFilter(provider="null\0"), lambda call: False),
    "half a pair": (CallFilter(model="\ud83d"), lambda call: False),
    "odd ids": (CallFilter(turn=TurnId("not a uuid")), lambda call: False),
}


@pytest.mark.requirement("stores:calls:sums")
@pytest.mark.parametrize("name", FILTERS)
async def test_what_is_listed_and_summed_is_what_was_asked_for(stores: Stores, name: str) -> None:
    wanted, fits = FILTERS[name]
    for subtenant in "ab":
        await new_subtenant(stores, subtenant)
    calls = [
        structs.replace(a_call("ab"[number % 2], at=number), provider=f"p{number % 3}", model=f"m{number % 2}")
        for number in range(8)
    ]
    await stores.model_calls.add(tuple(calls))
    for reach in (None, "a", "b"):
        fitting = [call for call in calls if fits(call) and reach in (None, call.subtenant_id)]
        assert await stores.model_calls.list(wanted, Page(), reach) == tuple(reversed(fitting))
        totals = await stores.model_calls.totals(wanted, reach)
        assert sum(total.calls for total in totals) == len(fitting)


async def test_calls_are_found_by_their_chat_and_their_turn(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    calls = [structs.replace(a_call(subtenant), chat_id=ChatId(a_uuid()), turn_id=TurnId(a_uuid())) for _ in range(3)]
    await stores.model_calls.add(tuple(calls))
    assert await stores.model_calls.list(CallFilter(chat=calls[1].chat_id), Page(), subtenant) == (calls[1],)
    assert await stores.model_calls.list(CallFilter(turn=calls[2].turn_id), Page(), None) == (calls[2],)


async def test_totals_are_sums_by_provider_and_model(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    call = a_call(subtenant)
    amounts: list[tuple[str, Usage | None, float | None]] = [
        ("b", Usage(1, 2), 0.5),
        ("b", Usage(10, None), None),
        ("b", None, 0.25),
        ("a", Usage(2**53, 1), None),
        ("a", Usage(2**53, 1), None),
        ("Z", None, None),
    ]
    for model, usage, cost in amounts:
        await stores.model_calls.add((structs.replace(call, id=a_uuid(), model=model, usage=usage, cost=cost),))
    await stores.model_calls.add((structs.replace(call, id=a_uuid(), model="b", outcome="failed", cost=0.0),))
    await stores.model_calls.add((structs.replace(call, id=a_uuid(), model="b", outcome="left", cost=0.0),))

    def total(model: str, calls: int, tokens: tuple[int, int], cost: float, unpriced: int) -> UsageTotal:
        return UsageTotal(
            provider="demo",
            model=model,
            calls=calls,
            failed=1 if model == "b" else 0,
            input=tokens[0],
            output=tokens[1],
            cost=cost,
            unpriced=unpriced,
        )

    wanted = (
        total("Z", 1, (0, 0), 0.0, 1),
        total("a", 2, (2**54, 2), 0.0, 2),
        total("b", 5, (11, 2), 0.75, 1),
    )
    found = await stores.model_calls.totals(CallFilter(), subtenant)
    assert found == wanted
    assert [type(value) for value in structs.astuple(found[0])] == [str, str, int, int, int, int, float, int]


@pytest.mark.requirement("stores:calls:forgotten")
async def test_what_is_older_is_forgotten_and_counted(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    calls = [a_call(subtenant, at=number) for number in range(5)]
    await stores.model_calls.add(tuple(calls))
    assert await stores.model_calls.forget(NOW + timedelta(seconds=3)) == 3
    assert await stores.model_calls.forget(NOW + timedelta(seconds=3)) == 0
    assert await stores.model_calls.list(CallFilter(), Page(), None) == (calls[4], calls[3])


async def test_what_was_written_is_let_go_of_at_once(stores: Stores) -> None:
    """What stands in a circle, as lists in statements do, waits for the collector, for long."""
    subtenant = await new_subtenant(stores)
    for _ in range(2):
        await stores.model_calls.add(tuple(a_call(subtenant) for _ in range(5)))
        gc.collect()
    gc.disable()
    try:
        await stores.model_calls.add(tuple(a_call(subtenant) for _ in range(5)))
        assert gc.collect() == 0
    finally:
        gc.enable()
