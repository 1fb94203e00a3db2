"""What no database holds is refused with the place where it stands, everywhere alike, and what all hold is kept."""

from collections.abc import Awaitable, Callable

import pytest

from parlance.core.errors import InvalidRequest
from parlance.core.ids import new_chat_id
from parlance.core.json import JsonValue
from parlance.core.stores.assistants import AssistantChange
from parlance.core.stores.chats import ChatChange, NewChat
from parlance.core.stores.subtenants import SubtenantChange
from tests.contract.stores.world import Stores, Things, one_of_everything

Keep = Callable[[Stores, Things, str], Awaitable[object]]
KeepJson = Callable[[Stores, Things, JsonValue], Awaitable[object]]

TEXTS: dict[str, tuple[str, Keep]] = {
    "a subtenant's name": ("$.name", lambda stores, at, text: stores.subtenants.create(name=text, metadata={})),
    "its new name": (
        "$.name",
        lambda stores, at, text: stores.subtenants.change(at.subtenant, SubtenantChange(name=text), None),
    ),
    "a chat's title": (
        "$.title",
        lambda stores, at, text: stores.chats.create(
            NewChat(id=new_chat_id(), subtenant_id=at.subtenant, title=text), None
        ),
    ),
    "its new system message": (
        "$.system_message",
        lambda stores, at, text: stores.chats.change(at.chat, ChatChange(system_message=text), None),
    ),
    "its new selection": (
        "$.enabled_functions[1]",
        lambda stores, at, text: stores.chats.change(at.chat, ChatChange(enabled_functions=("a", text)), None),
    ),
    "an assistant's name": (
        "$.name",
        lambda stores, at, text: stores.assistants.create(None, AssistantChange(name=text), None),
    ),
    "its new prompt": (
        "$.system_prompt",
        lambda stores, at, text: stores.assistants.change(at.assistant, AssistantChange(system_prompt=text), None),
    ),
}

JSON: dict[str, tuple[str, KeepJson]] = {
    "a memory": ("$.value", lambda stores, at, value: stores.memories.create(at.subtenant, "new", value, None)),
    "its new value": ("$.value", lambda stores, at, value: stores.memories.change(at.subtenant, at.key, value, None)),
    "a subtenant's metadata": (
        "$.metadata.x",
        lambda stores, at, value: stores.subtenants.create(metadata={"x": value}),
    ),
    "an assistant's parameters": (
        "$.function_parameters.x",
        lambda stores, at, value: stores.assistants.change(
            at.assistant, AssistantChange(function_parameters={"x": value}), None
        ),
    ),
}

UNKEPT = {"NUL": "a\0b", "first half": "a\ud83d", "second half": "\udd11b", "halves in the wrong order": "\udd11\ud83d"}
KEPT: list[JsonValue] = [
    "",
    " ",
    "\x01\x7f\x85",
    "\u2028\ufeff\uffff",
    "🔑" * 10,
    "x" * 2**20,
    "'; DROP TABLE chats; --",
    "%s $1 :a ?",
]
UNKEPT_JSON: dict[str, tuple[str, JsonValue]] = {
    "deep text": ("[0].a[1]", [{"a": ["", "\0"]}]),
    "not a number": ("", float("nan")),
    "no finite number": (".a", {"a": float("-inf")}),
}


@pytest.mark.requirement("stores:texts")
@pytest.mark.parametrize("what", TEXTS)
async def test_texts(stores: Stores, what: str) -> None:
    path, keep = TEXTS[what]
    things = await one_of_everything(stores)
    for text in UNKEPT.values():
        with pytest.raises(InvalidRequest) as refused:
            await keep(stores, things, text)
        assert [field.path for field in refused.value.fields] == [path]
    for text in map(str, KEPT):
        assert text in repr_of(await keep(stores, things, text))


@pytest.mark.requirement("stores:texts")
@pytest.mark.parametrize("what", JSON)
async def test_json(stores: Stores, what: str) -> None:
    path, keep = JSON[what]
    things = await one_of_everything(stores)
    for place, value in (*UNKEPT_JSON.values(), *(("", text) for text in UNKEPT.values())):
        with pytest.raises(InvalidRequest) as refused:
            await keep(stores, things, value)
        assert [field.path for field in refused.value.fields] == [path + place]
    with pytest.raises(InvalidRequest, match="key"):
        await keep(stores, things, {"\0": 1})
    assert await keep(stores, things, {"": KEPT})


def repr_of(made: object) -> str:
    """All texts of what a store gave back, as they are."""
    fields = (getattr(made, name) for name in made.__struct_fields__)  # type: ignore[attr-defined]  # all are Structs
    return "\n".join(
        item for field in fields for item in (field if isinstance(field, tuple) else (field,)) if isinstance(item, str)
    )
