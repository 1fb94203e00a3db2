"""`/subtenants/{subtenant_id}/memories`: what a subtenant wants its models to know, by key."""

from typing import cast

from msgspec import structs

from parlance.core.errors import AlreadyExists, MemoryNotFound, SubtenantNotFound
from parlance.core.json import JsonValue
from parlance.core.stores import Page
from parlance.dialects.rest.resources import encode_memory
from parlance.dialects.rest.wire import DeletedMemory, MemoryResource
from parlance.dialects.rest.wire_requests import ChangedMemory, NewMemory, PageQuery
from parlance.doors.rest.operation import Answer, Asked, Operation, answer
from parlance.doors.rest.stores import Stores

TAG = "Memories"


class Memories:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores.memories

    def operations(self) -> tuple[Operation, ...]:
        all_of, missing = "/subtenants/{subtenant_id}/memories", (SubtenantNotFound, MemoryNotFound)
        one = f"{all_of}/{{key}}"
        return (
            Operation(
                method="POST", path=all_of, act=self.create, summary="Create a memory", tag=TAG,
                takes=NewMemory, gives=MemoryResource, errors=(SubtenantNotFound, AlreadyExists), keyed="here",
            ),
            Operation(
                method="GET", path=all_of, act=self.list, summary="List the memories of a subtenant", tag=TAG,
                query=PageQuery, gives=list[MemoryResource], errors=(SubtenantNotFound,),
            ),
            Operation(
                method="GET", path=one, act=self.find, summary="Get a memory by its key", tag=TAG,
                gives=MemoryResource, errors=missing,
            ),
            Operation(
                method="PUT", path=one, act=self.change, summary="Change a memory", tag=TAG,
                takes=ChangedMemory, gives=MemoryResource, errors=missing, keyed="here",
            ),
            Operation(
                method="DELETE", path=one, act=self.delete, summary="Delete a memory", tag=TAG,
                gives=DeletedMemory, errors=missing, keyed="here",
            ),
        )  # fmt: skip

    async def create(self, asked: Asked) -> Answer:
        body = asked.body(NewMemory)
        value = cast(JsonValue, body.value)
        return answer(encode_memory(await self._stores.create(asked.subtenant, body.key, value, asked.principal.reach)))

    async def list(self, asked: Asked) -> Answer:
        wanted, subtenant = asked.query(PageQuery), asked.subtenant
        found = await self._stores.list(subtenant, Page(wanted.skip, wanted.limit), asked.principal.reach)
        return answer([encode_memory(memory) for memory in found])

    async def find(self, asked: Asked) -> Answer:
        return answer(encode_memory(await self._stores.find(asked.subtenant, asked.key, asked.principal.reach)))

    async def change(self, asked: Asked) -> Answer:
        value = cast(JsonValue, asked.body(ChangedMemory).value)
        subtenant, key = asked.subtenant, asked.key
        return answer(encode_memory(await self._stores.change(subtenant, key, value, asked.principal.reach)))

    async def delete(self, asked: Asked) -> Answer:
        gone = encode_memory(await self._stores.delete(asked.subtenant, asked.key, asked.principal.reach))
        return answer(DeletedMemory(**structs.asdict(gone), message="The memory is deleted."))
