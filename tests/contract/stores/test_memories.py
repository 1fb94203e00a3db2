"""What every store of memories promises."""

import asyncio

import pytest

from parlance.core.errors import AlreadyExists, InvalidRequest, MemoryNotFound, SubtenantNotFound
from parlance.core.json import JsonValue
from parlance.core.stores import Page
from tests.contract.stores.world import Stores, new_subtenant

GOOD_KEYS = ["a", "x" * 255, "a/b//c", "..", " ", "ключ", "🔑" * 255, "%00", "'; --", "e\u0301", "\u00e9", "\u2028"]
BAD_KEYS = ["", "x" * 256, "a\0b", "tab\t", "line\n", "\x7f", "\x85", "half\ud83d", "\udc00"]
VALUES: list[JsonValue] = [
    None,
    True,
    0,
    -(2**70),
    1.0,
    -0.0,
    1e300,
    "",
    "ключ\u2028🔑",
    [],
    {},
    {"z": [1, {"a": None}], "a": "\x01", "": "empty"},
]


@pytest.mark.requirement("stores:memories:keys")
async def test_a_key_is_any_text_without_control_characters(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    for key in GOOD_KEYS:
        made = await stores.memories.create(subtenant, key, "value", None)
        assert made.key == key
        assert await stores.memories.find(subtenant, key, subtenant) == made
        assert (await stores.memories.change(subtenant, key, "new", None)).key == key
        assert (await stores.memories.delete(subtenant, key, None)).value == "new"
        with pytest.raises(MemoryNotFound):
            await stores.memories.find(subtenant, key, None)


@pytest.mark.requirement("stores:memories:keys")
async def test_what_can_be_no_key_is_refused_and_never_found(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    for key in BAD_KEYS:
        with pytest.raises(InvalidRequest, match="255") as refused:
            await stores.memories.create(subtenant, key, 1, None)
        assert [field.path for field in refused.value.fields] == ["$.key"]
        for attempt in (
            stores.memories.find(subtenant, key, None),
            stores.memories.change(subtenant, key, 1, None),
            stores.memories.delete(subtenant, key, None),
        ):
            with pytest.raises(MemoryNotFound):
                await attempt


async def test_a_value_is_any_json_and_comes_back_as_it_was(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    for number, value in enumerate(VALUES):
        key = f"key {number}"
        made = await stores.memories.create(subtenant, key, value, None)
        found = await stores.memories.find(subtenant, key, None)
        assert found == made
        # Equality does not tell 1 from 1.0, True from 1, nor one order of keys from another.
        assert repr(found.value) == repr(value)
        changed = await stores.memories.change(subtenant, key, [value], None)
        assert repr(changed.value) == repr([value])
        assert (changed.id, changed.created_at) == (made.id, made.created_at)


async def test_keys_are_told_apart_exactly(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    keys = ["a", "A", "a ", "\u00e9", "e\u0301", "a/", "/a"]
    for key in keys:
        await stores.memories.create(subtenant, key, key, None)
    for key in keys:
        assert (await stores.memories.find(subtenant, key, None)).value == key


async def test_a_key_is_taken_once_in_its_subtenant(stores: Stores) -> None:
    ours, theirs = await new_subtenant(stores), await new_subtenant(stores)
    await stores.memories.create(ours, "colour", "blue", None)
    with pytest.raises(AlreadyExists, match="colour"):
        await stores.memories.create(ours, "colour", "red", ours)
    await stores.memories.create(theirs, "colour", "red", None)
    assert (await stores.memories.find(ours, "colour", None)).value == "blue"
    assert (await stores.memories.find(theirs, "colour", None)).value == "red"


@pytest.mark.requirement("stores:memories:unique")
async def test_of_many_who_take_a_key_at_once_one_has_it(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    takers = (stores.memories.create(subtenant, "colour", number, None) for number in range(10))
    results = await asyncio.gather(*takers, return_exceptions=True)
    (made,) = [result for result in results if not isinstance(result, AlreadyExists)]
    assert await stores.memories.list(subtenant, Page(), None) == (made,)


async def test_they_are_listed_in_the_order_of_creation_and_known_by_key(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    keys = ["b", "a", "Z", "é", "z", "_", "a/b", "\uffee", "🔑"]
    for key in keys:
        await stores.memories.create(subtenant, key, None, None)
    await stores.memories.change(subtenant, "a", 1, None)
    for page in (Page(), Page(2, 3), Page(8, 5), Page(9, 1)):
        found = await stores.memories.list(subtenant, page, subtenant)
        assert [memory.key for memory in found] == keys[page.skip : page.skip + page.limit]
    for most in (0, 1, 4, 20):
        assert [memory.key for memory in await stores.memories.known(subtenant, most)] == sorted(keys)[:most]


async def test_there_are_no_memories_without_a_subtenant(stores: Stores) -> None:
    for nobody in ("nobody", "", "null\0", "\ud800", "x" * 300):
        for attempt in (
            stores.memories.create(nobody, "colour", "blue", None),
            stores.memories.find(nobody, "colour", None),
            stores.memories.list(nobody, Page(), None),
            stores.memories.known(nobody, 5),
            stores.memories.change(nobody, "colour", "blue", None),
            stores.memories.delete(nobody, "colour", None),
        ):
            with pytest.raises(SubtenantNotFound):
                await attempt


async def test_a_subtenant_that_goes_takes_along_what_is_made_meanwhile(stores: Stores) -> None:
    subtenant = await new_subtenant(stores)
    makers = [stores.memories.create(subtenant, f"key {number}", 1, None) for number in range(8)]
    results = await asyncio.gather(
        *makers[:4], stores.subtenants.delete(subtenant, None), *makers[4:], return_exceptions=True
    )
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {SubtenantNotFound}
    await stores.subtenants.create(id=subtenant, metadata={})
    assert await stores.memories.list(subtenant, Page(), None) == ()
