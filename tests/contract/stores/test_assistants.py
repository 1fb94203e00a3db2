"""What every store of assistants promises."""

import asyncio

import pytest

from parlance.core.errors import AssistantNotFound, InvalidRequest, SubtenantNotFound
from parlance.core.ids import AssistantId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.assistants import AssistantChange
from parlance.core.stores.chats import NewChat
from tests.contract.stores.world import ODD_IDS, Stores, new_subtenant


async def test_a_new_one_is_found_as_it_was_made(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    new = AssistantChange(
        name="Ada",
        description="Counts.",
        system_prompt="Be exact. 🔑",
        enabled_functions=(),
        enabled_mcp_tools=("search",),
        function_parameters={"now": {"format": "%H"}},
        mcp_tool_parameters={"search": {"limit": 1.0}},
        is_active=False,
    )
    made = await stores.assistants.create(subtenant, new, subtenant)
    assert {name: getattr(made, name) for name in new.__struct_fields__} == {
        name: getattr(new, name) for name in new.__struct_fields__
    }
    assert made.subtenant_id == subtenant
    assert await stores.assistants.find(made.id, subtenant) == made


async def test_what_is_not_said_of_a_new_one_gets_its_default(stores: Stores) -> None:
    made = await stores.assistants.create(None, AssistantChange(name="Ada"), None)
    assert (made.subtenant_id, made.description, made.system_prompt) == (None, None, None)
    assert (made.enabled_functions, made.enabled_mcp_tools) == (None, None)
    assert (made.function_parameters, made.mcp_tool_parameters, made.is_active) == ({}, {}, True)
    assert await stores.assistants.find(made.id, None) == made


async def test_a_new_one_needs_a_name_and_a_subtenant_that_is_there(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    with pytest.raises(InvalidRequest, match="name") as refused:
        await stores.assistants.create(subtenant, AssistantChange(), None)
    assert [field.path for field in refused.value.fields] == ["$.name"]
    for nobody in ("nobody", "null\0", ""):
        with pytest.raises(SubtenantNotFound):
            await stores.assistants.create(nobody, AssistantChange(name="Ada"), None)


@pytest.mark.requirement("stores:assistants:whole_service")
async def test_those_of_the_whole_service_are_seen_by_all_and_changed_by_who_sees_all(stores: Stores) -> None:
    ours, theirs = await new_subtenant(stores), await new_subtenant(stores)
    with pytest.raises(SubtenantNotFound):
        await stores.assistants.create(None, AssistantChange(name="everybody's"), ours)
    common = await stores.assistants.create(None, AssistantChange(name="everybody's"), None)
    own = await stores.assistants.create(ours, AssistantChange(name="ours"), None)
    foreign = await stores.assistants.create(theirs, AssistantChange(name="theirs"), None)
    assert await stores.assistants.find(common.id, ours) == common
    with pytest.raises(AssistantNotFound):
        await stores.assistants.find(foreign.id, ours)
    assert await stores.assistants.list(Page(), ours) == (common, own)
    assert await stores.assistants.count(ours) == 2
    assert await stores.assistants.list(Page(), None) == (common, own, foreign)
    assert await stores.assistants.count(None) == 3
    for out_of_reach in (common, foreign):
        with pytest.raises(AssistantNotFound):
            await stores.assistants.change(out_of_reach.id, AssistantChange(name="mine"), ours)
        with pytest.raises(AssistantNotFound):
            await stores.assistants.delete(out_of_reach.id, ours)
    assert (await stores.assistants.change(common.id, AssistantChange(name="new"), None)).name == "new"
    assert (await stores.assistants.delete(common.id, None)).name == "new"
    assert await stores.assistants.list(Page(), ours) == (own,)


async def test_they_are_listed_in_the_order_of_creation_page_by_page(stores: Stores) -> None:
    ours = await new_subtenant(stores)
    names = ["c", "a", "b", "e", "d"]
    for number, name in enumerate(names):
        await stores.assistants.create(ours if number % 2 else None, AssistantChange(name=name), None)
    for page in (Page(), Page(1, 2), Page(4, 9), Page(5, 1), Page(0, 0)):
        found = await stores.assistants.list(page, ours)
        assert [assistant.name for assistant in found] == names[page.skip : page.skip + page.limit]


async def test_a_change_leaves_what_it_does_not_name(stores: Stores) -> None:
    made = await stores.assistants.create(
        await new_subtenant(stores),
        AssistantChange(name="Ada", description="Counts.", enabled_functions=("now",), function_parameters={"a": 1}),
        None,
    )
    first = await stores.assistants.change(made.id, AssistantChange(description=None, is_active=False), None)
    assert (first.name, first.description, first.enabled_functions, first.is_active) == ("Ada", None, ("now",), False)
    second = await stores.assistants.change(made.id, AssistantChange(enabled_functions=None), made.subtenant_id)
    assert (second.enabled_functions, second.function_parameters, second.is_active) == (None, {"a": 1}, False)
    assert second.updated_at >= first.updated_at >= made.updated_at == second.created_at
    assert await stores.assistants.find(made.id, None) == second


async def test_chats_that_were_made_with_it_go_on_without(stores: Stores) -> None:
    ours = await new_subtenant(stores)
    gone = await stores.assistants.create(ours, AssistantChange(name="gone"), None)
    stays = await stores.assistants.create(ours, AssistantChange(name="stays"), None)
    chats = [
        await stores.chats.create(NewChat(id=new_chat_id(), subtenant_id=ours, assistant_id=id), ours)
        for id in (gone.id, stays.id)
    ]
    assert await stores.assistants.delete(gone.id, ours) == gone
    found = [(await stores.chats.find(chat.id, ours)).assistant_id for chat in chats]
    assert found == [None, stays.id]


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    for missing in map(AssistantId, ODD_IDS):
        for attempt in (
            stores.assistants.find(missing, None),
            stores.assistants.change(missing, AssistantChange(name="Ada"), None),
            stores.assistants.delete(missing, None),
        ):
            with pytest.raises(AssistantNotFound):
                await attempt


async def test_a_subtenant_that_goes_takes_along_what_is_made_meanwhile(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    makers = [stores.assistants.create(subtenant, AssistantChange(name="Ada"), None) for _ in range(8)]
    results = await asyncio.gather(
        *makers[:4], stores.subtenants.delete(subtenant, None), *makers[4:], return_exceptions=True
    )
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {SubtenantNotFound}
    assert await stores.assistants.count(None) == 0
