"""`/assistants`: a system prompt and a choice of tools under a name."""

from typing import cast

from msgspec import UNSET, UnsetType, structs

from parlance.core.errors import AssistantNotFound, SubtenantNotFound
from parlance.core.json import JsonObject
from parlance.core.principal import Principal
from parlance.core.stores import Page
from parlance.core.stores.assistants import Assistant, AssistantChange
from parlance.dialects.rest.resources import encode_assistant
from parlance.dialects.rest.wire import AssistantList, AssistantResource, DeletedAssistant
from parlance.dialects.rest.wire_requests import ChangedAssistant, NewAssistantBody, PageQuery
from parlance.doors.rest.chats import changed_names, names
from parlance.doors.rest.operation import Answer, Asked, Operation, answer
from parlance.doors.rest.stores import Stores

TAG = "Assistants"


class Assistants:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores.assistants

    def operations(self) -> tuple[Operation, ...]:
        one, missing = "/assistants/{assistant_id}", (AssistantNotFound,)
        return (
            Operation(
                method="POST", path="/assistants", act=self.create, summary="Create an assistant", tag=TAG,
                takes=NewAssistantBody, gives=AssistantResource, errors=(SubtenantNotFound,), keyed="by its store",
            ),
            Operation(
                method="GET", path="/assistants", act=self.list, summary="List the assistants", tag=TAG,
                query=PageQuery, gives=AssistantList,
            ),
            Operation(
                method="GET", path=one, act=self.find, summary="Get an assistant", tag=TAG,
                gives=AssistantResource, errors=missing,
            ),
            Operation(
                method="PUT", path=one, act=self.change, summary="Change an assistant", tag=TAG,
                takes=ChangedAssistant, gives=AssistantResource, errors=missing, keyed="by its store",
            ),
            Operation(
                method="DELETE", path=one, act=self.delete, summary="Delete an assistant", tag=TAG,
                gives=DeletedAssistant, errors=missing, keyed="by its store",
            ),
        )  # fmt: skip

    async def create(self, asked: Asked) -> Answer:
        body, reach = asked.body(NewAssistantBody), asked.principal.reach
        new = AssistantChange(
            name=body.name,
            description=body.description,
            system_prompt=body.system_prompt,
            enabled_functions=names(body.enabled_functions),
            enabled_mcp_tools=names(body.enabled_mcp_tools),
            function_parameters=cast(JsonObject, body.function_parameters or {}),
            mcp_tool_parameters=cast(JsonObject, body.mcp_tool_parameters or {}),
            is_active=body.is_active,
        )
        owner, once = _owner(body.subtenant_id, asked.principal), asked.once(encode_assistant)
        made = await self._stores.create(owner, new, reach, once)
        return answer(encode_assistant(made))

    async def list(self, asked: Asked) -> Answer:
        wanted, reach = asked.query(PageQuery), asked.principal.reach
        found = await self._stores.list(Page(wanted.skip, wanted.limit), reach)
        total = await self._stores.count(reach)
        return answer(AssistantList([encode_assistant(assistant) for assistant in found], total))

    async def find(self, asked: Asked) -> Answer:
        return answer(encode_assistant(await self._stores.find(asked.assistant, asked.principal.reach)))

    async def change(self, asked: Asked) -> Answer:
        body = asked.body(ChangedAssistant)
        change = AssistantChange(
            name=body.name,
            description=body.description,
            system_prompt=body.system_prompt,
            enabled_functions=changed_names(body.enabled_functions),
            enabled_mcp_tools=changed_names(body.enabled_mcp_tools),
            function_parameters=_changed_object(body.function_parameters),
            mcp_tool_parameters=_changed_object(body.mcp_tool_parameters),
            is_active=body.is_active,
        )
        reach, once = asked.principal.reach, asked.once(encode_assistant)
        return answer(encode_assistant(await self._stores.change(asked.assistant, change, reach, once)))

    async def delete(self, asked: Asked) -> Answer:
        gone = await self._stores.delete(asked.assistant, asked.principal.reach, asked.once(_deleted))
        return answer(_deleted(gone))


def _deleted(gone: Assistant) -> DeletedAssistant:
    return DeletedAssistant(**structs.asdict(encode_assistant(gone)), message="The assistant is deleted.")


def _owner(given: str | UnsetType | None, principal: Principal) -> str | None:
    return principal.reach if given is UNSET else given


def _changed_object(given: dict[str, object] | UnsetType | None) -> JsonObject | UnsetType:
    return UNSET if given is UNSET else cast(JsonObject, given or {})
