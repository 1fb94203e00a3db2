"""What every store of chats promises."""

import asyncio

import pytest
from msgspec import structs

from parlance.core.errors import (
    AlreadyExists,
    AssistantNotFound,
    ChatNotFound,
    InvalidRequest,
    MessageNotFound,
    SubtenantNotFound,
)
from parlance.core.ids import AssistantId, ChatId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.assistants import AssistantChange
from parlance.core.stores.chats import ChatChange, NewChat
from parlance.store.checks import is_storable
from tests.contract.stores.world import ODD_IDS, Stores, a_turn, keep_texts, new_chat, new_subtenant


async def test_a_new_chat_is_found_as_it_was_made(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    assistant = await stores.assistants.create(subtenant, AssistantChange(name="Ada"), None)
    new = NewChat(
        id=new_chat_id(),
        subtenant_id=subtenant,
        title="Ключ 🔑\nand a line",
        system_message="Be brief.",
        assistant_id=assistant.id,
        enabled_functions=(),
        enabled_mcp_tools=("one", "two"),
    )
    made = await stores.chats.create(new, subtenant)
    assert {name: getattr(made, name) for name in new.__struct_fields__} == structs.asdict(new)
    assert made.created_at == made.updated_at
    assert await stores.chats.find(new.id, subtenant) == made


async def test_nothing_said_of_a_selection_is_not_the_same_as_none_of_them(stores: Stores) -> None:
    chat = await new_chat(stores)
    assert (chat.enabled_functions, chat.enabled_mcp_tools) == (None, None)
    found = await stores.chats.change(chat.id, ChatChange(enabled_functions=()), None)
    assert (found.enabled_functions, found.enabled_mcp_tools) == ((), None)
    assert await stores.chats.find(chat.id, None) == found


async def test_an_id_is_used_once(stores: Stores) -> None:
    chat = await new_chat(stores)
    with pytest.raises(AlreadyExists, match=chat.id):
        await stores.chats.create(NewChat(id=chat.id, subtenant_id=chat.subtenant_id), None)


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    for id in ODD_IDS:
        for attempt in (
            stores.chats.find(ChatId(id), None),
            stores.chats.change(ChatId(id), ChatChange(title="new"), None),
            stores.chats.delete(ChatId(id), None),
        ):
            with pytest.raises(ChatNotFound):
                await attempt
        new = NewChat(id=new_chat_id(), subtenant_id=subtenant, assistant_id=AssistantId(id))
        with pytest.raises(AssistantNotFound if is_storable(id) else InvalidRequest):
            await stores.chats.create(new, None)


async def test_what_is_no_uuid_can_be_no_chats_id(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    for id in ODD_IDS[1:]:
        with pytest.raises(InvalidRequest) as refused:
            await stores.chats.create(NewChat(id=ChatId(id), subtenant_id=subtenant), None)
        assert [field.path for field in refused.value.fields] == ["$.id"]


async def test_a_chat_needs_its_subtenant(stores: Stores) -> None:
    with pytest.raises(SubtenantNotFound):
        await stores.chats.create(NewChat(id=new_chat_id(), subtenant_id="nobody"), None)
    with pytest.raises(SubtenantNotFound):
        await stores.chats.list("nobody", Page(), None)


@pytest.mark.requirement("stores:assistants:of_chats")
async def test_a_chats_assistant_is_its_subtenants_or_the_whole_services(stores: Stores) -> None:
    ours, theirs = await new_subtenant(stores), await new_subtenant(stores)
    foreign = await stores.assistants.create(theirs, AssistantChange(name="theirs"), None)
    common = await stores.assistants.create(None, AssistantChange(name="everybody's"), None)
    for reach in (None, ours):
        new = NewChat(id=new_chat_id(), subtenant_id=ours, assistant_id=foreign.id)
        with pytest.raises(AssistantNotFound):
            await stores.chats.create(new, reach)
        new = NewChat(id=new_chat_id(), subtenant_id=ours, assistant_id=common.id)
        assert (await stores.chats.create(new, reach)).assistant_id == common.id


@pytest.mark.requirement("stores:lists:order")
async def test_they_are_listed_in_the_order_of_creation_page_by_page(stores: Stores) -> None:
    ours, theirs = await new_subtenant(stores), await new_subtenant(stores)
    ids = [(await new_chat(stores, subtenant)).id for subtenant in (ours, theirs, ours, ours, theirs)]
    mine = [ids[0], ids[2], ids[3]]
    await stores.chats.change(mine[1], ChatChange(title="changed"), None)
    for page, wanted in ((Page(), mine), (Page(1, 1), mine[1:2]), (Page(2, 5), mine[2:]), (Page(3, 5), [])):
        assert [chat.id for chat in await stores.chats.list(ours, page, ours)] == wanted


async def test_a_change_leaves_what_it_does_not_name(stores: Stores) -> None:
    made = await new_chat(stores)
    first = await stores.chats.change(
        made.id, ChatChange(title="a", system_message="b", enabled_mcp_tools=("c",)), None
    )
    second = await stores.chats.change(made.id, ChatChange(title=None), made.subtenant_id)
    assert (second.title, second.system_message, second.enabled_mcp_tools) == (None, "b", ("c",))
    assert second.created_at == made.created_at
    assert second.updated_at >= first.updated_at >= made.updated_at
    assert await stores.chats.find(made.id, None) == second
    cleared = await stores.chats.change(made.id, ChatChange(system_message=None, enabled_mcp_tools=None), None)
    assert (cleared.system_message, cleared.enabled_mcp_tools) == (None, None)


@pytest.mark.requirement("stores:changes:partial")
async def test_changes_at_the_same_time_all_stand(stores: Stores) -> None:
    made = await new_chat(stores)
    await asyncio.gather(
        stores.chats.change(made.id, ChatChange(title="title"), None),
        stores.chats.change(made.id, ChatChange(system_message="brief"), None),
        stores.chats.change(made.id, ChatChange(enabled_functions=("f",)), None),
        *(stores.chats.change(made.id, ChatChange(), None) for _ in range(6)),
    )
    found = await stores.chats.find(made.id, None)
    assert (found.title, found.system_message, found.enabled_functions) == ("title", "brief", ("f",))


@pytest.mark.requirement("stores:chats:deletion")
async def test_deleting_a_chat_takes_its_messages_and_no_others(stores: Stores) -> None:
    gone = await new_chat(stores)
    stays = await new_chat(stores, gone.subtenant_id)
    (lost,) = await keep_texts(stores, a_turn(gone, 1), ["lost"])
    (kept,) = await keep_texts(stores, a_turn(stays, 1), ["kept"])
    assert await stores.chats.delete(gone.id, None) == gone
    with pytest.raises(ChatNotFound):
        await stores.messages.all(gone.id, None)
    with pytest.raises(MessageNotFound):
        await stores.messages.find(lost, None)
    with pytest.raises(ChatNotFound):
        await stores.chats.delete(gone.id, None)
    assert (await stores.messages.find(kept, None)).chat_id == stays.id


async def test_of_many_who_delete_a_chat_one_does(stores: Stores) -> None:
    chat = await new_chat(stores)
    results = await asyncio.gather(*(stores.chats.delete(chat.id, None) for _ in range(5)), return_exceptions=True)
    assert [result for result in results if not isinstance(result, ChatNotFound)] == [chat]


async def test_a_subtenant_that_goes_takes_along_what_is_made_meanwhile(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)

    async def make() -> None:
        await stores.chats.create(NewChat(id=new_chat_id(), subtenant_id=subtenant), None)

    makers = [make() for _ in range(8)]
    results = await asyncio.gather(
        *makers[:4], stores.subtenants.delete(subtenant, None), *makers[4:], return_exceptions=True
    )
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {SubtenantNotFound}
    assert not any(isinstance(result, BaseException) for result in results[4:5])
    with pytest.raises(SubtenantNotFound):
        await stores.chats.list(subtenant, Page(), None)
