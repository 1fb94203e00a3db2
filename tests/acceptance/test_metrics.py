"""`/metrics` from outside: who may read it, what moves in it, and what never stands in it."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, failing, saying
from parlance.testing.voices.openai_chat import encode_error
from tests.acceptance.chat_lines import ask, open_client, problem_of
from tests.acceptance.chat_socket import ChatSocket, open_chat
from tests.acceptance.conftest import LAB, UPSTREAM_KEY
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import WEATHER
from tests.acceptance.server_process import ServerProcess, started

KEY, OWN_KEY = "canary-client-key-0123456789", "canary-tenant-key-0123456789"
SETTINGS = f"access: {{keys: {{web: {{key: {KEY}}}, ann: {{key: {OWN_KEY}, scope: 'subtenant:ann'}}}}}}\n"


class Reading:
    """The samples of one scrape."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.text = answer.text
        families = list(text_string_to_metric_families(answer.text))
        self.samples = [sample for family in families for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """All samples of this name that have these labels."""
        found = [sample for sample in self.samples if sample.name == name]
        return sum(sample.value for sample in found if labels.items() <= sample.labels.items())

    def labels(self, name: str) -> set[str]:
        """Every value that a label of this name has."""
        return {sample.labels[name] for sample in self.samples if name in sample.labels}


async def read(client: httpx.AsyncClient) -> Reading:
    return Reading(await client.get("/metrics"))


@pytest.mark.requirement("server:metrics:open")
@pytest.mark.requirement("server:metrics:form")
async def test_a_scraper_on_this_machine_reads_them_without_a_key(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    reading = Reading(answer)
    assert reading.sum("process_resident_memory_bytes") > 1 << 20
    assert reading.sum("parlance_connections_open", kind="http") >= 1
    assert (await client.head("/metrics")).content == b""
    problem_of(await client.post("/metrics"), 405, "method_not_allowed")


@pytest.mark.requirement("server:metrics:key")
async def test_where_keys_are_needed_they_need_one_that_is_the_whole_servers(tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(SETTINGS + "providers: {demo: {host: demo}}\n")
    async with started(tmp_path) as server, open_client(server) as client:
        problem_of(await client.get("/metrics"), 401, "key_missing")
        problem_of(await client.get(f"/metrics?key={KEY}"), 401, "key_missing")
        problem_of(await client.get("/metrics", headers={"x-api-key": "wrong-key-0123456789"}), 401, "key_invalid")
        problem = problem_of(await client.get("/metrics", headers={"x-api-key": OWN_KEY}), 404, "not_found")
        assert "service" in problem["detail"]
        assert Reading(await client.get("/metrics", headers={"authorization": f"Bearer {KEY}"})).samples


@pytest.mark.requirement("server:metrics:move")
async def test_turns_their_tokens_and_their_tools_move_them(
    lab_client: httpx.AsyncClient, lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    before = await read(lab_client)
    upstream.plan(
        Script(reply=Reply(calls=(ScriptedCall("get_current_time", "{}", "call_1"),))),
        saying("Noon."),
        failing(500, encode_error("away")),
    )
    await ask(lab_client, "What time is it?")
    await lab_chat.ask("Hello")
    after = await read(lab_client)

    def moved(name: str, **labels: str) -> float:
        return after.sum(name, **labels) - before.sum(name, **labels)

    model = {"provider": "openai", "model": "scripted-model"}
    assert moved("parlance_turns_total", **model, door="ndjson_chat", status="completed") == 1
    assert moved("parlance_turns_total", **model, door="ws_chat", status="failed") == 1
    assert moved("parlance_turn_faults_total", door="ws_chat", code="upstream_failed") == 1
    assert moved("parlance_turn_seconds_count", **model) == 2
    assert moved("parlance_first_token_seconds_count", **model) == 1
    assert moved("parlance_steps_total", **model, finish="tool_calls") == 1
    assert moved("parlance_steps_total", **model, finish="stop") == 1
    assert moved("parlance_tokens_total", **model, kind="input", source="reported") == 10
    assert moved("parlance_tool_calls_total", tool="get_current_time", runner="server", outcome="ok") == 1


@pytest.mark.requirement("server:metrics:move")
async def test_what_is_open_is_told_while_it_is(demo: ServerProcess, client: httpx.AsyncClient) -> None:
    async with open_chat(demo) as chat:
        before = await read(client)
        request_id = await chat.chat("/slow 0.05 /words 200")
        await chat.frames_until(request_id, "chunk")
        during = await read(client)
        await chat.cancel(request_id)
        await chat.answer(request_id)
        after = await read(client)
    for name, labels in (("parlance_turns_open", {"door": "ws_chat", "state": "running"}), ("parlance_followers", {})):
        told = [reading.sum(name, **labels) for reading in (before, during, after)]
        assert told == [told[0], told[0] + 1, told[0]]
    assert before.sum("parlance_connections_open", kind="websocket") >= 1
    assert during.sum("parlance_turns_total", status="cancelled") + 1 == after.sum(
        "parlance_turns_total", status="cancelled"
    )


@pytest.mark.requirement("server:metrics:bounded")
async def test_a_name_that_a_caller_made_up_is_no_label(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(*[failing(404, encode_error("no such model"))] * 3)
    for number in range(3):
        await ask(lab_client, "Hello", model=f"made-up-{number}")
    reading = await read(lab_client)
    assert not [name for name in reading.labels("model") if "made-up" in name]
    assert reading.sum("parlance_turns_total", model="other") >= 3
    series = Counter((sample.name, *sample.labels.values()) for sample in reading.samples)
    assert max(series.values()) == 1


@pytest.mark.requirement("server:metrics:canary")
async def test_no_secret_and_no_word_of_anybody_is_in_them(upstream: PlannedUpstream, tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(SETTINGS)
    own_tool = {**WEATHER, "name": "canary_tool"}
    call = ScriptedCall("canary_tool", '{"city": "canary-argument"}', "canary-call")
    upstream.plan(
        Script(reply=Reply(text=("canary-answer",), reasoning=("canary-thought",), calls=(call,))),
        saying("canary-answer"),
        Script(reply=Reply(calls=(ScriptedCall("canary_unknown", "{}", "canary-call"),))),
        saying("canary-answer"),
        *[failing(401, encode_error(f"canary-complaint {UPSTREAM_KEY}", code="invalid_api_key"))] * 2,
    )
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url}
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": "canary-request"}
    async with started(tmp_path, settings) as server, open_client(server, headers) as client:
        async with open_chat(server, headers=headers) as chat:
            request_id = await chat.chat("canary-question", tools=[own_tool])
            await chat.frames_until(request_id, "tool_call")
            await chat.give({"tool_call_id": "canary-call", "output": "canary-result"}, request_id=request_id)
            await chat.answer(request_id)
        for model in (None, "canary question as a model", KEY):
            await ask(client, "canary-question", model=model)
        reading = await read(client)
    assert reading.sum("parlance_turns_total") == 4
    assert reading.sum("parlance_tool_calls_total", tool="other", runner="client", outcome="ok") == 1
    assert reading.sum("parlance_tool_calls_total", tool="other", runner="none", outcome="refused") == 1
    assert "canary" not in reading.text
    assert UPSTREAM_KEY not in reading.text
