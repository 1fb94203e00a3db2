"""`/chats`, and `/subtenants/{subtenant_id}/chats`: conversations that last."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType, structs

from parlance.core.errors import AssistantNotFound, ChatNotFound, SubtenantNotFound
from parlance.core.ids import AssistantId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.chats import Chat, ChatChange, Names, NewChat
from parlance.core.stores.messages import StoredMessage
from parlance.dialects.rest.resources import encode_chat, encode_message
from parlance.dialects.rest.wire import ChatResource, ChatWithMessages, DeletedChat
from parlance.dialects.rest.wire_requests import ChangedChat, NewChatBody, PageQuery
from parlance.doors.rest.operation import Answer, Asked, Operation, answer, read_id
from parlance.doors.rest.stores import Stores
from parlance.engine.engine import Engine

TAG = "Chats"

SLICE = 200
"""Messages that are encoded before others have their turn."""


class Chats:
    def __init__(self, stores: Stores, engine: Engine) -> None:
        self._stores = stores
        self._engine = engine

    def operations(self) -> tuple[Operation, ...]:
        all_of, one, missing = "/subtenants/{subtenant_id}/chats", "/chats/{chat_id}", (ChatNotFound,)
        return (
            Operation(
                method="POST", path=all_of, act=self.create, summary="Create a chat", tag=TAG,
                takes=NewChatBody, gives=ChatResource, errors=(SubtenantNotFound, AssistantNotFound),
                keyed="by its store",
            ),
            Operation(
                method="GET", path=all_of, act=self.list, summary="List the chats of a subtenant", tag=TAG,
                query=PageQuery, gives=list[ChatResource], errors=(SubtenantNotFound,),
            ),
            Operation(
                method="GET", path=one, act=self.find, summary="Get a chat with its messages", tag=TAG,
                gives=ChatWithMessages, errors=missing,
            ),
            Operation(
                method="PUT", path=one, act=self.change, summary="Change a chat", tag=TAG,
                takes=ChangedChat, gives=ChatResource, errors=missing, keyed="by its store",
            ),
            Operation(
                method="DELETE", path=one, act=self.delete, summary="Delete a chat with its messages", tag=TAG,
                gives=DeletedChat, errors=missing, keyed="by its store",
            ),
        )  # fmt: skip

    async def create(self, asked: Asked) -> Answer:
        body, subtenant = asked.body(NewChatBody), asked.subtenant
        assistant = body.assistant_id
        new = NewChat(
            id=new_chat_id(),
            subtenant_id=subtenant,
            title=body.title,
            system_message=body.system_message,
            assistant_id=AssistantId(read_id(assistant, "$.assistant_id")) if assistant is not None else None,
            enabled_functions=names(body.enabled_functions),
            enabled_mcp_tools=names(body.enabled_mcp_tools),
        )
        return answer(encode_chat(await self._stores.chats.create(new, asked.principal.reach, asked.once(encode_chat))))

    async def list(self, asked: Asked) -> Answer:
        wanted, subtenant = asked.query(PageQuery), asked.subtenant
        page = Page(wanted.skip, wanted.limit)
        found = await self._stores.chats.list(subtenant, page, asked.principal.reach)
        return answer([encode_chat(chat) for chat in found])

    async def find(self, asked: Asked) -> Answer:
        reach = asked.principal.reach
        chat = encode_chat(await self._stores.chats.find(asked.chat, reach))
        return Answer(await _encode(chat, await self._stores.messages.all(asked.chat, reach)))

    async def change(self, asked: Asked) -> Answer:
        body = asked.body(ChangedChat)
        change = ChatChange(
            body.title,
            body.system_message,
            changed_names(body.enabled_functions),
            changed_names(body.enabled_mcp_tools),
        )
        reach, once = asked.principal.reach, asked.once(encode_chat)
        return answer(encode_chat(await self._stores.chats.change(asked.chat, change, reach, once)))

    async def delete(self, asked: Asked) -> Answer:
        reach = asked.principal.reach
        chat = await self._stores.chats.find(asked.chat, reach)
        await self._engine.clear(chat.subtenant_id, chat.id)
        return answer(_deleted(await self._stores.chats.delete(chat.id, reach, asked.once(_deleted))))


async def _encode(chat: ChatResource, said: Sequence[StoredMessage]) -> bytes:
    """As a `ChatWithMessages`. Of a long chat others need not wait for all of it."""
    bare = msgspec.json.encode(ChatWithMessages(**structs.asdict(chat), messages=[]))
    told = [bare.removesuffix(b"]}")]
    for first in range(0, len(said), SLICE):
        if first:
            told.append(b",")
            await asyncio.sleep(0)
        told.append(msgspec.json.encode([encode_message(message) for message in said[first : first + SLICE]])[1:-1])
    return b"".join((*told, b"]}"))


def _deleted(gone: Chat) -> DeletedChat:
    return DeletedChat(**structs.asdict(encode_chat(gone)), message="The chat is deleted.")


def names(given: list[str] | None) -> Names:
    return None if given is None else tuple(given)


def changed_names(given: list[str] | UnsetType | None) -> Names | UnsetType:
    return UNSET if given is UNSET else names(given)
