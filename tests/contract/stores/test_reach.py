"""Who reaches what: every method of every store, for its owner, for another subtenant, and for who sees all.

What is out of reach is told in the very words for what is not there.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest
from msgspec import structs

from parlance.core.errors import StoredNotFound
from parlance.core.ids import AssistantId, ChatId, MessageId, new_chat_id
from parlance.core.stores import Page, Reach
from parlance.core.stores.assistants import AssistantChange, Assistants
from parlance.core.stores.chats import ChatChange, Chats, NewChat
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages
from parlance.core.stores.model_calls import CallFilter, ModelCalls
from parlance.core.stores.subtenants import SubtenantChange, Subtenants
from tests.contract.stores.world import Stores, Things, a_uuid, one_of_everything

PROTOCOLS = (Subtenants, Chats, Messages, Memories, Assistants, ModelCalls)

Pointed = Callable[[Stores, Things, Reach], Awaitable[object]]
Listed = Callable[[Stores, Reach], Awaitable[tuple[str | None, ...]]]

POINTED: dict[str, Pointed] = {
    "Subtenants.find": lambda stores, at, reach: stores.subtenants.find(at.subtenant, reach),
    "Subtenants.change": lambda stores, at, reach: stores.subtenants.change(
        at.subtenant, SubtenantChange(name="new"), reach
    ),
    "Subtenants.delete": lambda stores, at, reach: stores.subtenants.delete(at.subtenant, reach),
    "Chats.create": lambda stores, at, reach: stores.chats.create(
        NewChat(id=new_chat_id(), subtenant_id=at.subtenant), reach
    ),
    "Chats.find": lambda stores, at, reach: stores.chats.find(at.chat, reach),
    "Chats.list": lambda stores, at, reach: stores.chats.list(at.subtenant, Page(), reach),
    "Chats.change": lambda stores, at, reach: stores.chats.change(at.chat, ChatChange(title="new"), reach),
    "Chats.delete": lambda stores, at, reach: stores.chats.delete(at.chat, reach),
    "Messages.list": lambda stores, at, reach: stores.messages.list(at.chat, Page(), reach),
    "Messages.all": lambda stores, at, reach: stores.messages.all(at.chat, reach),
    "Messages.find": lambda stores, at, reach: stores.messages.find(at.message, reach),
    "Memories.create": lambda stores, at, reach: stores.memories.create(at.subtenant, "new", 1, reach),
    "Memories.find": lambda stores, at, reach: stores.memories.find(at.subtenant, at.key, reach),
    "Memories.list": lambda stores, at, reach: stores.memories.list(at.subtenant, Page(), reach),
    "Memories.change": lambda stores, at, reach: stores.memories.change(at.subtenant, at.key, 1, reach),
    "Memories.delete": lambda stores, at, reach: stores.memories.delete(at.subtenant, at.key, reach),
    "Assistants.create": lambda stores, at, reach: stores.assistants.create(
        at.subtenant, AssistantChange(name="new"), reach
    ),
    "Assistants.find": lambda stores, at, reach: stores.assistants.find(at.assistant, reach),
    "Assistants.change": lambda stores, at, reach: stores.assistants.change(
        at.assistant, AssistantChange(name="new"), reach
    ),
    "Assistants.delete": lambda stores, at, reach: stores.assistants.delete(at.assistant, reach),
}
"""What is asked of one thing."""


async def subtenants(stores: Stores, reach: Reach) -> tuple[str | None, ...]:
    return tuple(found.id for found in await stores.subtenants.list(Page(), reach))


async def assistants(stores: Stores, reach: Reach) -> tuple[str | None, ...]:
    return tuple(found.subtenant_id for found in await stores.assistants.list(Page(), reach))


async def counted_assistants(stores: Stores, reach: Reach) -> tuple[str | None, ...]:
    """As many of those that are listed as are counted."""
    return (await assistants(stores, reach))[: await stores.assistants.count(reach)]


async def calls(stores: Stores, reach: Reach) -> tuple[str | None, ...]:
    return tuple(found.subtenant_id for found in (await stores.model_calls.list(CallFilter(), Page(), reach))[::-1])


async def summed_calls(stores: Stores, reach: Reach) -> tuple[str | None, ...]:
    """As many of those that are listed as are summed."""
    return (await calls(stores, reach))[
        : sum(total.calls for total in await stores.model_calls.totals(CallFilter(), reach))
    ]


LISTED: dict[str, Listed] = {
    "Subtenants.list": subtenants,
    "Assistants.list": assistants,
    "Assistants.count": counted_assistants,
    "ModelCalls.list": calls,
    "ModelCalls.totals": summed_calls,
}
"""What shows as much as the caller may see: whose it is, in the order of creation."""

THE_SERVERS_OWN = frozenset(
    {"Subtenants.create", "Subtenants.ensure", "Memories.known", "ModelCalls.add", "ModelCalls.forget"}
)
"""What no caller's reach bounds: the server asks for itself, or has looked at the caller's scope before."""

Caller = Literal["owner", "other", "all-seeing"]


@pytest.mark.requirement("stores:reach:every_method")
def test_every_method_of_every_store_is_in_a_table() -> None:
    methods = {
        f"{protocol.__name__}.{name}"
        for protocol in PROTOCOLS
        for name, member in vars(protocol).items()
        if inspect.iscoroutinefunction(member) and not name.startswith("_")
    }
    tables = (POINTED.keys(), LISTED.keys(), THE_SERVERS_OWN)
    assert set().union(*tables) == methods
    assert sum(map(len, tables)) == len(methods)


def test_what_takes_a_reach_is_not_the_servers_own() -> None:
    bounded = {
        f"{protocol.__name__}.{name}"
        for protocol in PROTOCOLS
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and "reach" in inspect.signature(member).parameters
    }
    assert bounded == {*POINTED, *LISTED}


@pytest.mark.parametrize("caller", ["owner", "all-seeing"])
async def test_who_may_reach_a_thing_does(stores: Stores, caller: Caller) -> None:
    for act in POINTED.values():
        things = await one_of_everything(stores)
        await act(stores, things, things.subtenant if caller == "owner" else None)


@pytest.mark.requirement("stores:reach:every_method")
async def test_out_of_reach_is_told_as_not_there(stores: Stores) -> None:
    ours, theirs = await one_of_everything(stores), await one_of_everything(stores)
    nothing = Things(a_uuid(), ChatId(a_uuid()), MessageId(a_uuid()), ours.key, AssistantId(a_uuid()))
    before = await everything(stores, theirs)
    for name, act in POINTED.items():
        with pytest.raises(StoredNotFound) as foreign:
            await act(stores, theirs, ours.subtenant)
        with pytest.raises(StoredNotFound) as missing:
            await act(stores, nothing, ours.subtenant)
        assert type(foreign.value) is type(missing.value), name
        assert without_ids(foreign.value, theirs) == without_ids(missing.value, nothing), name
    assert await everything(stores, theirs) == before


@pytest.mark.requirement("stores:reach:lists")
async def test_lists_show_what_is_in_reach(stores: Stores) -> None:
    ours, theirs = await one_of_everything(stores), await one_of_everything(stores)
    for name, act in LISTED.items():
        assert await act(stores, ours.subtenant) == (ours.subtenant,), name
        assert await act(stores, theirs.subtenant) == (theirs.subtenant,), name
        assert await act(stores, "nobody") == (), name
        assert await act(stores, None) == (ours.subtenant, theirs.subtenant), name


async def test_a_filter_widens_no_reach(stores: Stores) -> None:
    ours, theirs = await one_of_everything(stores), await one_of_everything(stores)
    wanted = CallFilter(subtenant=theirs.subtenant)
    assert await stores.model_calls.list(wanted, Page(), ours.subtenant) == ()
    assert await stores.model_calls.totals(wanted, ours.subtenant) == ()


async def everything(stores: Stores, things: Things) -> tuple[object, ...]:
    """All that somebody else could have changed."""
    return (
        await stores.subtenants.find(things.subtenant, None),
        await stores.chats.list(things.subtenant, Page(), None),
        await stores.messages.all(things.chat, None),
        await stores.memories.list(things.subtenant, Page(), None),
        await stores.assistants.list(Page(), things.subtenant),
    )


def without_ids(error: StoredNotFound, things: Things) -> str:
    said = repr(error.fault())
    for id in structs.astuple(things):
        said = said.replace(id, "…")
    return said
