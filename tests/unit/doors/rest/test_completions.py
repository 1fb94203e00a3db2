"""Models asked directly over the REST service."""

import asyncio

import pytest

from parlance.core.errors import HostFailed
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.unit.doors.rest.rest_chat import STOCK, stream
from tests.unit.doors.rest.rest_house import done, open_rest, problem_of, text_of


@pytest.mark.requirement("rest:llm")
@pytest.mark.parametrize("place", ["/llm", "/subtenants/ann/llm"])
async def test_a_model_is_asked_directly(place: str) -> None:
    async with open_rest() as house, house.client() as client:
        body = {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            ],
            "temperature": 0.5,
            "max_tokens": 9,
        }
        told = done(await client.post(f"{place}/complete", json=body))
        assert (told["content"], told["role"], told["tool_calls"]) == ("Hello there!", "assistant", None)
        assert (told["model"], told["provider"], told["finish_reason"]) == ("scripted-model", "scripted", "stop")
        events = await stream(client, f"{place}/stream", method="POST", json=body)
        assert text_of(events) == "Hello there!"
        assert (events[-1].raw, {event.id for event in events}) == ("[DONE]", {None})
        assert isinstance(house.provider, ScriptedProvider)
        asked = house.provider.requests[0]
        assert (asked.max_output, asked.sampling.temperature, [m.role for m in asked.messages]) == (
            9,
            0.5,
            ["system", "user"],
        )


@pytest.mark.requirement("rest:llm:tools")
async def test_a_direct_answer_ends_with_the_callers_calls() -> None:
    async with open_rest(provider=ScriptedProvider(calling(("stock", "{}")))) as house, house.client() as client:
        body = {"messages": [{"role": "user", "content": "Stock?"}], "tools": [STOCK], "tool_choice": "auto"}
        told = done(await client.post("/llm/complete", json=body))
        assert (told["finish_reason"], told["tool_calls"][0]["function"]["name"]) == ("tool_calls", "stock")
        events = await stream(client, "/llm/stream", method="POST", json=body)
        assert [event.name for event in events] == ["start", "step", "tool_call", "end", ""]
        assert (events[-2]["status"], events[-2]["finish_reason"]) == ("completed", "tool_calls")
        await house.quiet()


@pytest.mark.requirement("rest:llm:disconnect")
async def test_a_direct_answer_is_cancelled_when_its_client_leaves() -> None:
    provider = ScriptedProvider([*answering("Half")[:2], asyncio.Event()])
    async with open_rest(provider=provider) as house, house.client() as client:
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        async with client.stream("POST", "/llm/stream", json=body) as told:
            async for line in told.aiter_lines():
                if "Half" in line:
                    break
        await house.quiet()
        assert provider.closed == 1


@pytest.mark.requirement("rest:llm:bad_input")
async def test_bad_messages_are_422_and_a_failing_host_a_problem() -> None:
    provider = ScriptedProvider([HostFailed("It broke.", host="lab")])
    async with open_rest(provider=provider) as house, house.client() as client:
        orphan = [{"role": "tool", "tool_call_id": "x", "content": "1"}]
        for messages in (
            [],
            [{"role": "robot"}],
            orphan,
            [{"role": "user", "content": "\0"}],
            [{"role": "user"}],
            "Hi",
        ):
            for path in ("/llm/complete", "/llm/stream"):
                problem_of(await client.post(path, json={"messages": messages}), 422, "invalid_request")
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        problem_of(await client.post("/llm/complete", json=body), 502, "upstream_failed")
        problem_of(await client.post("/subtenants/nobody/llm/complete", json=body), 404, "subtenant_not_found")
