"""Messages of the REST service: sent, and answered whole, as a stream, or later."""

import asyncio
import json

import pytest

from parlance.core.errors import HostFailed, HostRateLimited, TruncatedAnswer
from parlance.core.ids import new_chat_id
from parlance.testing.models import FunctionTool
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.unit.doors.rest.rest_chat import STOCK, open_chat, stream
from tests.unit.doors.rest.rest_house import Json, done, problem_of, text_of


@pytest.mark.requirement("rest:send")
async def test_a_message_is_answered_and_both_are_kept() -> None:
    async with open_chat() as (_, client, chat):
        sent = done(await client.post(f"{chat}/messages", json={"content": "Hi", "include_memories": False}))
        assert (sent["message"]["content"], sent["message"]["role"], sent["status"]) == (
            "Hello there!",
            "assistant",
            "completed",
        )
        assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= set(sent["usage"])
        listed = done(await client.get(f"{chat}/messages"))
        assert [(one["role"], one["content"], one["status"]) for one in listed] == [
            ("user", "Hi", "completed"),
            ("assistant", "Hello there!", "completed"),
        ]
        assert listed[1] == sent["message"]
        assert done(await client.get(chat))["messages"] == listed
        assert done(await client.get(f"{chat}/messages", params={"skip": 1})) == listed[1:]
        assert (listed[1]["model"], listed[1]["provider"]) == ("scripted-model", "scripted")


@pytest.mark.requirement("rest:chats")
@pytest.mark.parametrize("size", [1, 3, 4, 100])
async def test_a_chat_is_told_alike_in_slices_of_any_length(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("parlance.doors.rest.chats.SLICE", size)
    async with open_chat() as (_, client, chat):
        bare = await client.put(chat, json={"title": "]}"})
        empty = (await client.get(chat)).content
        assert empty == bare.content[:-1] + b',"messages":[]}'
        for text in ("Hi", "]}"):
            done(await client.post(f"{chat}/messages", json={"content": text}))
        listed = await client.get(f"{chat}/messages")
        assert len(done(listed)) == 4
        assert (await client.get(chat)).content == empty.removesuffix(b"[]}") + listed.content + b"}"


@pytest.mark.requirement("rest:send:async")
@pytest.mark.parametrize("prefer", ["respond-async", "wait=5, Respond-Async; x=1"])
async def test_who_prefers_so_is_answered_at_once(prefer: str) -> None:
    go_on = asyncio.Event()
    async with open_chat([go_on, *answering("Later")]) as (_, client, chat):
        accepted = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers={"prefer": prefer})
        turn = done(accepted, 202)
        assert accepted.headers["location"] == f"/api/v1/turns/{turn['id']}"
        assert accepted.headers["preference-applied"] == "respond-async"
        assert turn["status"] in ("queued", "running")
        go_on.set()
        events = await stream(client, f"/turns/{turn['id']}/events")
        assert text_of(events) == "Later"
        found = done(await client.get(f"/turns/{turn['id']}"))
        assert (found["status"], found["message"]["content"], found["finish_reason"]) == ("completed", "Later", "stop")


@pytest.mark.requirement("rest:stream")
async def test_a_stream_has_text_unnamed_all_else_named_and_an_end() -> None:
    async with open_chat() as (_, client, chat):
        events = await stream(client, f"{chat}/messages/stream", method="POST", json={"content": "Hi"})
        assert [event.name for event in events] == ["start", "", "", "", "step", "end", ""]
        assert events[-1].raw == "[DONE]"
        assert text_of(events) == "Hello there!"
        assert (events[0]["chat_id"], events[0]["content"]) == (chat.removeprefix("/chats/"), "Hi")
        numbers = [int((event.id or "-").rpartition("-")[2]) for event in events]
        assert numbers == sorted(numbers)
        kept = done(await client.get(f"{chat}/messages"))[1]
        assert kept["id"] == events[4]["message_id"]


@pytest.mark.requirement("rest:resume")
async def test_behind_any_event_a_resume_gives_exactly_the_rest() -> None:
    async with open_chat() as (_, client, chat):
        body, keyed = {"content": "Hi"}, {"idempotency-key": "one"}
        whole = await stream(client, f"{chat}/messages/stream", method="POST", json=body, headers=keyed)
        turn = whole[0]["turn_id"]
        told = [(event.id, event.name, event.raw) for event in whole]
        for seen, event in enumerate(whole[:-1], 1):
            after = event.id or ""
            # Behind the ending only the terminator is left, which bears the same cursor.
            rest = told[seen:]
            assert [(e.id, e.name, e.raw) for e in await stream(client, f"/turns/{turn}/events?after={after}")] == rest
            again = await stream(client, f"/turns/{turn}/events", headers={"last-event-id": after})
            assert [(e.id, e.name, e.raw) for e in again] == rest
            headers = {**keyed, "last-event-id": after}
            again = await stream(client, f"{chat}/messages/stream", method="POST", json=body, headers=headers)
            assert [(e.id, e.name, e.raw) for e in again] == rest


@pytest.mark.requirement("rest:resume:cursor_expired")
async def test_a_cursor_that_can_not_be_served_is_410_with_a_snapshot() -> None:
    async with open_chat() as (_, client, chat):
        sent = done(await client.post(f"{chat}/messages", json={"content": "Hi"}))
        for path in (f"/turns/{sent['turn_id']}/events", f"{chat}/events"):
            for after in ("elsewhere-3", "x", "-", "9" * 40):
                problem = problem_of(await client.get(path, params={"after": after}), 410, "cursor_expired")
                shown = {"parts": [{"kind": "text", "text": "Hello there!"}], "status": "completed"}
                assert problem["snapshot"] == shown
                assert problem["turn_id"] == sent["turn_id"]
                found = done(await client.get(f"/turns/{sent['turn_id']}"))
                assert problem["cursor"] == found["cursor"]


@pytest.mark.requirement("rest:bad_input:sends")
async def test_a_choice_of_tools_that_nothing_can_be_called_by_is_422() -> None:
    async with open_chat() as (_, client, chat):
        for chosen in ("enabled_functions", "disabled_functions", "enabled_mcp_tools", "disabled_mcp_tools"):
            answer = await client.post(f"{chat}/messages", json={"content": "Hi", chosen: ["time", "a\0b"]})
            assert problem_of(answer, 422, "invalid_request")["errors"][0]["path"] == f"$.{chosen}[1]"


FAILURES = {
    "failed": (HostFailed("It broke.", host="lab"), 502, "upstream_failed"),
    "limited": (HostRateLimited("Too fast.", host="lab", retry_after=7), 429, "upstream_rate_limited"),
    "cut": (TruncatedAnswer("It was cut.", host="lab"), 502, "upstream_truncated"),
}


@pytest.mark.requirement("rest:send:failed")
@pytest.mark.parametrize("name", FAILURES)
async def test_an_answer_that_is_not_whole_is_a_problem(name: str) -> None:
    error, status, code = FAILURES[name]
    async with open_chat([*answering("Half")[:2], error]) as (_, client, chat):
        answer = await client.post(f"{chat}/messages", json={"content": "Hi"})
        problem = problem_of(answer, status, code)
        assert problem["turn_id"]
        assert ("snapshot" in problem) == (name == "cut")
        assert answer.headers.get("retry-after") == ("7" if name == "limited" else None)
        events = await stream(client, f"/turns/{problem['turn_id']}/events")
        assert [event.name for event in events[-2:]] == ["error", ""]
        assert (events[-2]["code"], events[-1].raw) == (code, "[DONE]")
        assert done(await client.get(f"/turns/{problem['turn_id']}"))["error"]["code"] == code


@pytest.mark.requirement("rest:cancel")
async def test_a_cancel_ends_the_turn_and_keeps_what_was_shown() -> None:
    async with open_chat([*answering("Half")[:2], asyncio.Event()]) as (house, client, chat):
        turn = done(
            await client.post(f"{chat}/messages", json={"content": "Hi"}, headers={"prefer": "respond-async"}), 202
        )
        async with client.stream("GET", f"/turns/{turn['id']}/events") as told:
            async for line in told.aiter_lines():
                if "Half" in line:
                    break
        cancelled = done(await client.post(f"/turns/{turn['id']}/cancel"))
        assert (cancelled["status"], cancelled["message"]["content"]) == ("cancelled", "Half")
        assert done(await client.post(f"/turns/{turn['id']}/cancel")) == cancelled
        assert done(await client.get(f"{chat}/messages"))[1]["content"] == "Half"
        assert isinstance(house.provider, ScriptedProvider)
        assert house.provider.closed == 1


@pytest.mark.requirement("rest:tools")
async def test_a_callers_tool_is_answered_by_tool_results() -> None:
    async with open_chat(calling(("stock", "{}")), answering("Twelve")) as (_, client, chat):
        asked, keyed = {"content": "Stock?", "tools": [STOCK]}, {"idempotency-key": "one"}
        waiting = done(await client.post(f"{chat}/messages", json=asked, headers=keyed))
        assert waiting["status"] == "waiting"
        turn = done(await client.get(f"/turns/{waiting['turn_id']}"))
        assert (turn["status"], turn["cursor"].rpartition("-")[2]) == ("waiting", "7")
        assert done(await client.post(f"{chat}/messages", json=asked, headers=keyed)) == waiting
        assert waiting["message"]["tool_calls"] == [
            {"id": "call_0", "type": "function", "function": {"name": "stock", "arguments": "{}"}}
        ]
        results = f"/turns/{waiting['turn_id']}/tool_results"
        foreign = {"results": [{"tool_call_id": "c9", "result": 1}]}
        problem_of(await client.post(results, json=foreign), 409, "call_not_waiting")
        twice = {"results": [{"tool_call_id": "call_0", "result": number} for number in range(2)]}
        refused = problem_of(await client.post(results, json=twice), 409, "call_not_waiting")
        assert refused["detail"].startswith("The call 'call_0' is named twice.")
        given = {"results": [{"tool_call_id": "call_0", "result": {"pieces": 12}}]}
        assert done(await client.post(results, json=given))["id"] == waiting["turn_id"]
        problem_of(await client.post(results, json=given), 409, "call_not_waiting")
        events = await stream(client, f"/turns/{waiting['turn_id']}/events")
        assert text_of(events) == "Twelve"
        rows = done(await client.get(f"{chat}/messages"))
        assert [row["role"] for row in rows] == ["user", "assistant", "tool", "assistant"]
        assert (rows[2]["tool_call_id"], rows[2]["name"], json.loads(rows[2]["content"])) == (
            "call_0",
            "stock",
            {"pieces": 12},
        )


@pytest.mark.requirement("rest:tools:message")
async def test_a_callers_tool_is_answered_by_a_message_of_that_role() -> None:
    async with open_chat(calling(("stock", "{}")), answering("Twelve")) as (_, client, chat):
        legacy = {"content": "Stock?", "functions": [STOCK["function"]]}
        asked = await client.post(f"{chat}/messages", json=legacy, headers={"idempotency-key": "asked"})
        assert done(asked)["status"] == "waiting"
        result = {"role": "tool", "tool_call_id": "call_0", "content": "12"}
        for again in (False, True):
            answer = await client.post(f"{chat}/messages", json=result, headers={"idempotency-key": "one"})
            assert ("idempotent-replayed" in answer.headers) is again
            sent = done(answer)
            assert (sent["status"], sent["message"]["content"]) == ("completed", "Twelve")
        streamed = await client.post(f"{chat}/messages/stream", json=result, headers={"idempotency-key": "one"})
        assert streamed.headers["idempotent-replayed"] == "true"
        for body in ({"content": "Hi"}, {**result, "content": "13"}):
            other = await client.post(f"{chat}/messages", json=body, headers={"idempotency-key": "one"})
            problem_of(other, 422, "idempotency_key_reused")
        other = await client.post(f"{chat}/messages", json=result, headers={"idempotency-key": "asked"})
        problem_of(other, 422, "idempotency_key_reused")
        problem_of(await client.post(f"{chat}/messages", json=result), 409, "call_not_waiting")
        problem_of(await client.post(f"{chat}/messages", json={"role": "tool", "content": "1"}), 422, "invalid_request")


@pytest.mark.requirement("rest:tools:superseded")
async def test_a_new_user_message_ends_the_wait() -> None:
    async with open_chat(calling(("stock", "{}")), answering("Fine")) as (_, client, chat):
        waiting = done(await client.post(f"{chat}/messages", json={"content": "Stock?", "tools": [STOCK]}))
        assert (
            done(await client.post(f"{chat}/messages", json={"content": "Never mind"}))["message"]["content"] == "Fine"
        )
        assert done(await client.get(f"/turns/{waiting['turn_id']}"))["status"] == "incomplete"


@pytest.mark.requirement("rest:tools:selection")
async def test_the_servers_tools_are_chosen_by_the_request() -> None:
    async def seen(_: Json) -> str:
        return "seen"

    tools = (FunctionTool("look", seen), FunctionTool("dig", seen))
    async with open_chat(tools=tools) as (house, client, chat):
        chosen: list[Json] = [
            {},
            {"enabled_functions": ["dig"]},
            {"enabled_functions": []},
            {"disabled_functions": ["all"]},
        ]
        for body in chosen:
            done(await client.post(f"{chat}/messages", json={"content": "Hi", **body}))
        assert isinstance(house.provider, ScriptedProvider)
        offered = [{tool.name for tool in request.tools} for request in house.provider.requests]
        assert offered == [{"look", "dig"}, {"dig"}, set(), set()]


@pytest.mark.requirement("rest:send:memories")
async def test_memories_are_given_to_the_model_when_asked_for() -> None:
    async with open_chat() as (house, client, chat):
        done(await client.post("/subtenants/ann/memories", json={"key": "city", "value": "Oslo"}))
        for include in (False, True):
            done(await client.post(f"{chat}/messages", json={"content": "Hi", "include_memories": include}))
        assert isinstance(house.provider, ScriptedProvider)
        said = ["".join(m.text for m in request.messages if m.role == "system") for request in house.provider.requests]
        assert ["Oslo" in text for text in said] == [False, True]


@pytest.mark.requirement("rest:bad_input:sends")
async def test_a_bad_send_is_refused_before_anything_is_kept() -> None:
    async with open_chat() as (_, client, chat):
        for body in ({}, {"content": ""}, {"content": "a\0b"}, {"content": 5}, {"content": "x", "tools": [{}]}):
            for path in (f"{chat}/messages", f"{chat}/messages/stream"):
                problem_of(await client.post(path, json=body), 422, "invalid_request")
        problem_of(
            await client.post(f"{chat}/messages", json={"content": "x", "model": "none"}), 404, "model_not_found"
        )
        nowhere = {"content": "x", "provider_name": "nobody"}
        missing = problem_of(await client.post(f"{chat}/messages", json=nowhere), 404, "model_not_found")
        assert missing["detail"].startswith("There is no provider 'nobody'.")
        done(await client.post(f"{chat}/messages", json={"content": "x", "provider_name": "scripted"}))
        assert len(done(await client.get(f"{chat}/messages"))) == 2
        problem_of(await client.post(f"/chats/{new_chat_id()}/messages", json={"content": "x"}), 404, "chat_not_found")


@pytest.mark.requirement("rest:delete:running")
async def test_a_chat_that_is_deleted_while_it_streams_ends_its_turn_first() -> None:
    async with open_chat([*answering("Half")[:2], asyncio.Event()]) as (house, client, chat):
        async with client.stream("POST", f"{chat}/messages/stream", json={"content": "Hi"}) as told:
            lines = told.aiter_lines()
            async for line in lines:
                if "Half" in line:
                    break
            assert done(await client.delete(chat))["message"]
            rest = [line async for line in lines]
        assert "data: [DONE]" in rest
        problem_of(await client.get(chat), 404, "chat_not_found")
        assert house.engine.running == 0


@pytest.mark.requirement("rest:disconnect")
async def test_a_turn_goes_on_when_its_client_leaves() -> None:
    go_on, turn = asyncio.Event(), ""
    async with open_chat([*answering("One ", "two")[:2], go_on, *answering("One ", "two")[2:]]) as (_, client, chat):
        async with client.stream("POST", f"{chat}/messages/stream", json={"content": "Hi"}) as told:
            async for line in told.aiter_lines():
                if line.startswith("data:") and "turn_id" in line:
                    turn = json.loads(line.removeprefix("data: "))["turn_id"]
                    break
        go_on.set()
        assert text_of(await stream(client, f"/turns/{turn}/events")) == "One two"
