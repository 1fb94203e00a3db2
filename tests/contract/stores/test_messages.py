"""What every store of messages promises."""

import pytest
from msgspec import Raw, structs

from parlance.core.errors import ChatNotFound, MessageNotFound
from parlance.core.events import Status
from parlance.core.ids import CallId, ChatId, MessageId
from parlance.core.messages import Message, Origin
from parlance.core.parts import (
    Annotation,
    CacheMark,
    File,
    Image,
    Inline,
    Kept,
    Part,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from parlance.core.stores import Page
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.turns import State
from parlance.core.usage import Usage
from tests.contract.stores import world
from tests.contract.stores.world import ODD_IDS, Stores, a_turn, a_uuid, keep_texts, new_chat, said

PARTS: tuple[Part, ...] = (
    Text("line\u2028and 🔑", (Annotation("chat", "url", Raw(b'{"b":1.0,"a":[null]}')),), Signature("gemini", "x", "1")),
    Text("", cache=CacheMark("5m")),
    Refusal("No."),
    Reasoning("hm", Signature("anthropic", "c2ln"), summary=True),
    Reasoning("", redacted=True),
    ToolCall(CallId("call_1"), "now", '{"a": 1.0, "a": 12345678901234567890}', upstream_id="up"),
    ToolResult(CallId("call_1"), "now", (Text("a"), Image(Inline(b"\x00\xff"), "image/png")), is_error=True),
    ToolResult(CallId("call_2"), "now", "text", outcome_unknown=True),
    Image(Url("https://example.org/a.png"), detail="low"),
    File(Uploaded("anthropic", "file_1"), name="a.pdf"),
    Kept("openai_responses", "web_search_call", Raw(b'{"z": 1e400, "y":""}')),
)


@pytest.mark.requirement("stores:messages:lossless")
async def test_a_message_is_read_as_it_was_written(stores: Stores) -> None:
    turn = a_turn(await new_chat(stores), 1, "running")
    message = Message(
        MessageId(a_uuid()),
        "assistant",
        PARTS,
        Origin("demo", "fast-1", "openai_chat"),
        "tool_calls",
        Usage(10, 20, cached=0, reasoning=3, estimated=True),
    )
    selection = {"enabled_functions": ("now",), "enabled_mcp_tools": ()}
    stored = StoredMessage(turn.chat, turn.id, message, None, world.NOW, ("now",), ())
    bare = said(turn, Message(MessageId(a_uuid()), "tool", ()))
    await stores.keep(world.Kept(turn, (stored, bare)))
    assert await stores.messages.find(message.id, turn.subtenant) == stored
    assert await stores.messages.all(turn.chat, turn.subtenant) == (stored, bare)
    assert structs.asdict(stored).items() >= selection.items()


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "incomplete"])
async def test_a_message_tells_how_its_turn_ended(stores: Stores, status: Status) -> None:
    chat = await new_chat(stores)
    (ended,) = await keep_texts(stores, a_turn(chat, 1, status), ["ended"])
    states: tuple[State, ...] = ("queued", "running", "waiting")
    for position, state in enumerate(states, 2):
        (open_still,) = await keep_texts(stores, a_turn(chat, position, state), ["open"])
        assert (await stores.messages.find(open_still, None)).status is None
    assert (await stores.messages.find(ended, None)).status == status
    assert [stored.status for stored in await stores.messages.all(chat.id, None)] == [status, None, None, None]


@pytest.mark.requirement("stores:messages:order")
async def test_they_come_turn_by_turn_however_their_answers_overlapped(stores: Stores) -> None:
    chat = await new_chat(stores)
    first, second = a_turn(chat, 1), a_turn(chat, 2)
    await keep_texts(stores, first, ["question 1"])
    await keep_texts(stores, second, ["question 2"])
    await keep_texts(stores, second, ["answer 2"])
    await keep_texts(stores, first, ["call 1", "answer 1"])
    other = await new_chat(stores, chat.subtenant_id)
    await keep_texts(stores, a_turn(other, 1), ["elsewhere"])
    wanted = ["question 1", "call 1", "answer 1", "question 2", "answer 2"]
    assert [stored.message.text for stored in await stores.messages.all(chat.id, None)] == wanted
    for page in (Page(), Page(1, 2), Page(4, 9), Page(5, 1), Page(0, 0)):
        found = await stores.messages.list(chat.id, page, chat.subtenant_id)
        assert [stored.message.text for stored in found] == wanted[page.skip : page.skip + page.limit]


async def test_a_chat_without_messages_has_none(stores: Stores) -> None:
    chat = await new_chat(stores)
    assert await stores.messages.all(chat.id, None) == ()
    assert await stores.messages.list(chat.id, Page(), None) == ()


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    for id in ODD_IDS:
        with pytest.raises(MessageNotFound):
            await stores.messages.find(MessageId(id), None)
        with pytest.raises(ChatNotFound):
            await stores.messages.all(ChatId(id), None)
        with pytest.raises(ChatNotFound):
            await stores.messages.list(ChatId(id), Page(), None)
