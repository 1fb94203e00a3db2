"""What every store of subtenants promises."""

import asyncio

import pytest

from parlance.core.errors import (
    AlreadyExists,
    AssistantNotFound,
    ChatNotFound,
    InvalidRequest,
    MessageNotFound,
    SubtenantNotFound,
)
from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter
from parlance.core.stores.subtenants import SubtenantChange
from tests.contract.stores.world import Stores, a_call, new_chat, new_subtenant, one_of_everything


async def test_a_new_subtenant_gets_a_uuid_and_is_found_again(stores: Stores) -> None:
    made = await stores.subtenants.create(name="Ada", metadata={"plan": "free", "seats": [1, 2.5, None, True]})
    assert (made.name, made.metadata) == ("Ada", {"plan": "free", "seats": [1, 2.5, None, True]})
    assert made.created_at == made.updated_at
    assert made.created_at.utcoffset() is not None
    assert await stores.subtenants.find(made.id, None) == made
    assert await stores.subtenants.find(made.id, made.id) == made


async def test_an_id_is_given_once(stores: Stores) -> None:
    await stores.subtenants.create(id="default", metadata={})
    with pytest.raises(AlreadyExists, match="default"):
        await stores.subtenants.create(id="default", name="again", metadata={})
    assert (await stores.subtenants.find("default", None)).name is None


async def test_an_id_that_no_store_holds_is_refused(stores: Stores) -> None:
    for id in ("", "x" * 256, "tab\there", "null\0", "half\ud83d"):
        with pytest.raises(InvalidRequest) as refused:
            await stores.subtenants.create(id=id, metadata={})
        assert [field.path for field in refused.value.fields] == ["$.id"]
        with pytest.raises(SubtenantNotFound):
            await stores.subtenants.find(id, None)


async def test_what_the_operator_names_is_there_and_stays_as_it_is(stores: Stores) -> None:
    await stores.subtenants.create(id="team", name="Team", metadata={"a": 1})
    await stores.subtenants.ensure(frozenset({"default", "team"}))
    await stores.subtenants.ensure(frozenset({"default", "team"}))
    assert (await stores.subtenants.find("team", None)).name == "Team"
    assert (await stores.subtenants.find("default", None)).metadata == {}


async def test_several_processes_may_start_at_once(stores: Stores) -> None:
    await asyncio.gather(*(stores.subtenants.ensure(frozenset({"a", "b"})) for _ in range(8)))
    assert {subtenant.id for subtenant in await stores.subtenants.list(Page(), None)} == {"a", "b"}


async def test_they_are_listed_in_the_order_of_creation_page_by_page(stores: Stores) -> None:
    ids = [f"subtenant {9 - number}" for number in range(5)]
    for id in ids:
        await stores.subtenants.create(id=id, metadata={})
    await stores.subtenants.change(ids[0], SubtenantChange(name="changed"), None)
    for page, wanted in (
        (Page(), ids),
        (Page(1, 2), ids[1:3]),
        (Page(4, 10), ids[4:]),
        (Page(5, 1), []),
        (Page(0, 0), []),
    ):
        assert [subtenant.id for subtenant in await stores.subtenants.list(page, None)] == wanted
    assert [subtenant.id for subtenant in await stores.subtenants.list(Page(), ids[3])] == [ids[3]]


async def test_a_change_leaves_what_it_does_not_name(stores: Stores) -> None:
    made = await stores.subtenants.create(name="Ada", metadata={"a": 1})
    renamed = await stores.subtenants.change(made.id, SubtenantChange(name="Bob"), None)
    assert (renamed.name, renamed.metadata, renamed.created_at) == ("Bob", {"a": 1}, made.created_at)
    assert renamed.updated_at >= made.updated_at
    cleared = await stores.subtenants.change(made.id, SubtenantChange(name=None, metadata={"b": {"c": [2]}}), made.id)
    assert (cleared.name, cleared.metadata) == (None, {"b": {"c": [2]}})
    assert await stores.subtenants.find(made.id, None) == cleared


@pytest.mark.requirement("stores:changes:partial")
async def test_changes_at_the_same_time_all_stand(stores: Stores) -> None:
    made = await stores.subtenants.create(metadata={})
    await asyncio.gather(
        stores.subtenants.change(made.id, SubtenantChange(name="Ada"), None),
        stores.subtenants.change(made.id, SubtenantChange(metadata={"a": 1}), None),
        *(stores.subtenants.change(made.id, SubtenantChange(), None) for _ in range(6)),
    )
    found = await stores.subtenants.find(made.id, None)
    assert (found.name, found.metadata) == ("Ada", {"a": 1})


@pytest.mark.requirement("stores:subtenants:deletion")
async def test_deleting_one_takes_everything_of_it_and_nothing_else(stores: Stores) -> None:
    gone, stays = await one_of_everything(stores), await one_of_everything(stores)
    before = await stores.subtenants.find(gone.subtenant, None)
    assert await stores.subtenants.delete(gone.subtenant, None) == before
    with pytest.raises(SubtenantNotFound):
        await stores.subtenants.find(gone.subtenant, None)
    with pytest.raises(SubtenantNotFound):
        await stores.memories.find(gone.subtenant, gone.key, None)
    with pytest.raises(ChatNotFound):
        await stores.chats.find(gone.chat, None)
    with pytest.raises(MessageNotFound):
        await stores.messages.find(gone.message, None)
    with pytest.raises(AssistantNotFound):
        await stores.assistants.find(gone.assistant, None)
    calls = await stores.model_calls.list(CallFilter(), Page(), None)
    assert [call.subtenant_id for call in calls] == [stays.subtenant]
    assert (await stores.messages.find(stays.message, stays.subtenant)).chat_id == stays.chat
    assert (await stores.memories.find(stays.subtenant, stays.key, stays.subtenant)).value == "blue"
    assert (await stores.assistants.find(stays.assistant, stays.subtenant)).name == "Ada"


async def test_one_with_very_many_chats_and_calls_goes_whole(stores: Stores) -> None:
    gone, stays = await new_subtenant(stores), await one_of_everything(stores)
    for _ in range(13):
        await new_chat(stores, gone)
    await stores.model_calls.add(tuple(a_call(gone) for _ in range(40)))
    await stores.subtenants.delete(gone, gone)
    await stores.subtenants.create(id=gone, metadata={})
    assert await stores.chats.list(gone, Page(), None) == ()
    assert await stores.model_calls.list(CallFilter(subtenant=gone), Page(), None) == ()
    assert (await stores.chats.find(stays.chat, None)).subtenant_id == stays.subtenant


async def test_one_that_was_deleted_may_be_made_again_and_is_empty(stores: Stores) -> None:
    await stores.subtenants.create(id="team", metadata={})
    await stores.memories.create("team", "colour", "blue", None)
    await stores.subtenants.delete("team", "team")
    await stores.subtenants.create(id="team", metadata={})
    assert await stores.memories.list("team", Page(), None) == ()
