"""`/subtenants/{subtenant_id}/memories`: what a subtenant wants its models to know, by key."""

from typing import cast

from msgspec import structs

from parlance.core.errors import AlreadyExists, MemoryNotFound, SubtenantNotFound
from parlance.core.json import JsonValue
from parlance.core.stores import Page
from parlance.core.stores.memories import Memory
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
                takes=NewMemory, gives=MemoryResource, errors=(SubtenantNotFound, AlreadyExists), keyed="by its store",
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
                takes=ChangedMemory, gives=MemoryResource, errors=missing, keyed="by its store",
            ),
            Operation(
                method="DELETE", path=one, act=self.delete, summary="Delete a memory", tag=TAG,
                gives=DeletedMemory, errors=missing, keyed="by its store",
            ),
        )  # fmt: skip

    async def create(self, asked: Asked) -> Answer:
        body = asked.body(NewMemory)
        value, reach, once = cast(JsonValue, body.value), asked.principal.reach, asked.once(encode_memory)
        return answer(encode_memory(await self._stores.create(asked.subtenant, body.key, value, reach, once)))

    async def list(self, asked: Asked) -> Answer:
        wanted, subtenant = asked.query(PageQuery), asked.subtenant
        found = await self._stores.list(subtenant, Page(wanted.skip, wanted.limit), asked.principal.reach)
        return answer([encode_memory(memory) for memory in found])

    async def find(self, asked: Asked) -> Answer:
        return answer(encode_memory(await self._stores.find(asked.subtenant, asked.key, asked.principal.reach)))

    async def change(self, asked: Asked) -> Answer:
        value = cast(JsonValue, asked.body(ChangedMemory).value)
        reach, once = asked.principal.reach, asked.once(encode_memory)
        return answer(encode_memory(await self._stores.change(asked.subtenant, asked.key, value, reach, once)))

    async def delete(self, asked: Asked) -> Answer:
        reach, once = asked.principal.reach, asked.once(_deleted)
        return answer(_deleted(await self._stores.delete(asked.subtenant, asked.key, reach, once)))


def _deleted(gone: Memory) -> DeletedMemory:
    return DeletedMemory(**structs.asdict(encode_memory(gone)), message="The memory is deleted.")
