"""`/subtenants`: whose everything else is."""

from typing import cast

from msgspec import UNSET, structs

from parlance.core.errors import AccessError, AlreadyExists, RequestError, SubtenantNotFound
from parlance.core.json import JsonObject
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores import Page
from parlance.core.stores.subtenants import Subtenant, SubtenantChange
from parlance.dialects.rest.resources import encode_subtenant
from parlance.dialects.rest.wire import DeletedSubtenant, SubtenantResource
from parlance.dialects.rest.wire_requests import ChangedSubtenant, NewSubtenant, PageQuery
from parlance.doors.rest.operation import Answer, Asked, Operation, answer
from parlance.doors.rest.stores import Stores
from parlance.engine.engine import Engine

TAG = "Subtenants"


class Subtenants:
    def __init__(self, stores: Stores, engine: Engine) -> None:
        self._stores = stores.subtenants
        self._engine = engine

    def operations(self) -> tuple[Operation, ...]:
        one, missing = "/subtenants/{subtenant_id}", (SubtenantNotFound,)
        return (
            Operation(
                method="POST", path="/subtenants", act=self.create, summary="Create a subtenant", tag=TAG,
                takes=NewSubtenant, gives=SubtenantResource, errors=(AlreadyExists, AccessError), keyed="by its store",
            ),
            Operation(
                method="GET", path="/subtenants", act=self.list, summary="List all subtenants", tag=TAG,
                query=PageQuery, gives=list[SubtenantResource],
            ),
            Operation(
                method="GET", path=one, act=self.find, summary="Get a subtenant", tag=TAG,
                gives=SubtenantResource, errors=missing,
            ),
            Operation(
                method="PUT", path=one, act=self.change, summary="Change a subtenant", tag=TAG,
                takes=ChangedSubtenant, gives=SubtenantResource, errors=missing, keyed="by its store",
            ),
            Operation(
                method="DELETE", path=one, act=self.delete, summary="Delete a subtenant and everything of it", tag=TAG,
                gives=DeletedSubtenant, errors=(*missing, RequestError), keyed="by its store",
            ),
        )  # fmt: skip

    async def create(self, asked: Asked) -> Answer:
        if asked.principal.reach is not None:
            raise AccessError(
                "This key is one subtenant's, and makes no others. Ask with one of scope service or admin."
            )
        new = asked.body(NewSubtenant)
        metadata, once = cast(JsonObject, new.metadata or {}), asked.once(encode_subtenant)
        made = await self._stores.create(id=new.id, name=new.name, metadata=metadata, once=once)
        return answer(encode_subtenant(made))

    async def list(self, asked: Asked) -> Answer:
        wanted = asked.query(PageQuery)
        found = await self._stores.list(Page(wanted.skip, wanted.limit), asked.principal.reach)
        return answer([encode_subtenant(subtenant) for subtenant in found])

    async def find(self, asked: Asked) -> Answer:
        return answer(encode_subtenant(await self._stores.find(asked.subtenant, asked.principal.reach)))

    async def change(self, asked: Asked) -> Answer:
        body = asked.body(ChangedSubtenant)
        metadata = UNSET if body.metadata is UNSET else cast(JsonObject, body.metadata or {})
        change, once = SubtenantChange(body.name, metadata), asked.once(encode_subtenant)
        return answer(encode_subtenant(await self._stores.change(asked.subtenant, change, asked.principal.reach, once)))

    async def delete(self, asked: Asked) -> Answer:
        subtenant, reach = asked.subtenant, asked.principal.reach
        await self._stores.find(subtenant, reach)
        if subtenant == DEFAULT_SUBTENANT:
            raise RequestError(
                f"The subtenant {DEFAULT_SUBTENANT!r} holds what belongs to nobody else, and stays. Delete its chats."
            )
        await self._engine.clear(subtenant)
        return answer(_deleted(await self._stores.delete(subtenant, reach, asked.once(_deleted))))


def _deleted(gone: Subtenant) -> DeletedSubtenant:
    resource = structs.asdict(encode_subtenant(gone))
    return DeletedSubtenant(**resource, message="The subtenant and everything of it is deleted.")
