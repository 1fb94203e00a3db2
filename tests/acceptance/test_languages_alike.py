"""The same scripted turns through every language that hosts speak: doors A and C tell the same each time."""

import json
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from parlance.core.json import JsonObject
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, refusing
from parlance.testing.voices.table import VOICES
from tests.acceptance.chat_lines import begun, open_client
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess, started

HOSTS = {
    "openai_chat": "openai_compatible",
    "openai_responses": "openai_responses",
    "anthropic_messages": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
}
PICK: JsonObject = {"name": "pick", "description": "Picks one.", "parameters": {"type": "object", "properties": {}}}
CALLS = (ScriptedCall("pick", '{"of": "two"}', "call_a"), ScriptedCall("pick", "{}", "call_b"))
TIME = ScriptedCall("get_current_time", '{"timezone": "UTC"}', "call_c")

TURNS: dict[str, list[Script]] = {
    "text": [Script(reply=Reply(text=("Hello", " there")))],
    "reasoning": [Script(reply=Reply(reasoning=("Let me", " see"), text=("Four",), signature="cHJvb2Y="))],
    "no limit left": [Script(reply=Reply(text=("Once upon",), finish="length"))],
    "filtered": [Script(reply=Reply(text=("Well",), finish="filtered"))],
    "the client's tools": [Script(reply=Reply(text=("One moment",), calls=CALLS)), Script(reply=Reply(text=("Done",)))],
    "a server's tool": [Script(reply=Reply(text=(), calls=(TIME,))), Script(reply=Reply(text=("Noon",)))],
    "cut": [Script(reply=Reply(text=("Hel", "lo")), finish=False)],
    "an error in the stream": [Script(reply=Reply(text=("Hel",)), stream_error="The model broke.")],
    "refused": [refusing(500, "It broke.")],
    "no rate left": [refusing(429, "Slow down.")],
    "unauthorised": [refusing(401, "No.")],
}

UNSAYABLE = {("ollama", "filtered")}
"""What a language has no word for, so that its hosts can't say it."""

HELD = {"openai_chat": 3, "openai_responses": 6, "anthropic_messages": 4, "gemini": 2, "ollama": 2}
"""Events of a stream after which some of its text has been said, and not all."""

Digest = list[tuple[str, object]]


class Digester:
    """Joins growth, and leaves out what names this very turn: its ids, its times and its cursors."""

    def __init__(self) -> None:
        self.digest: Digest = []

    def grow(self, kind: str, text: str) -> None:
        if self.digest and self.digest[-1][0] == kind:
            text = f"{self.digest.pop()[1]}{text}"
        self.digest.append((kind, text))

    def call(self, call: dict[str, Any]) -> None:
        self.digest.append(("call", (call["name"], json.loads(call["arguments"]), call["runner"])))

    def result(self, result: dict[str, Any]) -> None:
        self.digest.append(("result", result["error"] is not None))

    def end(self, *said: object) -> None:
        self.digest.append(("end", said))


class House:
    def __init__(self, server: ServerProcess, upstream: PlannedUpstream) -> None:
        self.server = server
        self.upstream = upstream


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = Path(tmp_path_factory.mktemp("alike"))
    async with PlannedUpstream(models=("scripted-model",)) as upstream:
        providers = {
            family: {
                "host": host,
                "base_url": upstream.base_url_of(family),
                "api_key": "key-0123456789",
                "model": "scripted-model",
                "max_retries": 0,
            }
            for family, host in HOSTS.items()
        }
        (folder / "parlance.yaml").write_text(json.dumps({"providers": providers, "models": {"default": "ollama/"}}))
        async with started(folder) as server:
            yield House(server, upstream)


async def by_lines(house: House, model: str) -> Digest:
    """Door C."""
    told = Digester()
    async with (
        open_client(house.server) as client,
        begun(client, "Hi", model=model, tools=[PICK], params={"reasoning": True}) as answer,
    ):
        waiting: list[str] = []
        while (line := await answer.line()) is not None:
            match line:
                case {"delta": text}:
                    told.grow("text", text)
                case {"reasoning": text}:
                    told.grow("reasoning", text)
                case {"tool_call": call}:
                    told.call(call)
                    if call["runner"] == "client":
                        waiting.append(call["id"])
                case {"tool_result": result}:
                    told.result(result)
                case {"error": problem}:
                    told.end(problem["code"])
                case {"done": True}:
                    told.end(line.get("status", "completed"), line.get("finish_reason"))
                case _:
                    pass
            if len(waiting) == 2:
                results = [{"tool_call_id": id, "output": "x"} for id in waiting]
                waiting = []
                await client.post(f"/chat/{answer.turn_id}/tool_results", json={"results": results})
    return told.digest


async def by_socket(house: House, model: str) -> Digest:
    """Door A."""
    told, waiting = Digester(), list[str]()
    async with open_chat(house.server) as chat:
        request = await chat.chat("Hi", model=model, tools=[PICK], params={"reasoning": True})
        while True:
            frame = await chat.frame_of(request)
            chunk = frame.get("chunk", {})
            match chunk.get("type"):
                case "text" | "reasoning" as kind:
                    told.grow(kind, chunk["data"])
                case "tool_call":
                    call = json.loads(chunk["data"])
                    told.call(call)
                    if call["runner"] == "client":
                        waiting.append(call["id"])
                case "tool_result":
                    told.result(json.loads(chunk["data"]))
                case _:
                    pass
            if frame["status"] == "error":
                told.end(frame["code"])
            if frame["status"] in ("complete", "error"):
                told.end(frame["metadata"]["status"], frame["metadata"].get("finish_reason"))
                return told.digest
            if len(waiting) == 2:
                await chat.give(*({"tool_call_id": id, "output": "x"} for id in waiting), request_id=request)
                waiting = []


DOORS: dict[str, Callable[..., Any]] = {"lines": by_lines, "socket": by_socket}


@pytest.mark.parametrize("turn", TURNS)
async def test_every_language_and_both_doors_tell_the_same(house: House, turn: str) -> None:
    digests: dict[tuple[str, str], Digest] = {}
    for family, (door, read) in product(HOSTS, DOORS.items()):
        if (family, turn) not in UNSAYABLE:
            house.upstream.begin()
            house.upstream.plan(*TURNS[turn])
            digests[family, door] = await read(house, f"{family}/scripted-model")
    expected = digests["openai_chat", "lines"]
    assert expected
    assert {key: digest for key, digest in digests.items() if digest != expected} == {}


def test_no_language_is_left_out() -> None:
    assert set(HOSTS) == set(VOICES)


@pytest.mark.parametrize("family", HOSTS)
async def test_a_cancel_closes_the_socket_of_every_kind_of_host(house: House, family: str) -> None:
    house.upstream.begin()
    house.upstream.plan(Script(reply=Reply(text=("Hel", "lo")), hold_after=HELD[family]))
    async with (
        open_client(house.server) as client,
        begun(client, "Hi", model=f"{family}/scripted-model") as answer,
    ):
        await answer.until("delta")
        cancelled = (await client.post(f"/chat/{answer.turn_id}/cancel")).json()
        await answer.rest()
    await house.upstream.hung_up(-1)
    assert cancelled["status"] == "cancelled"
    assert answer.lines[-1]["status"] == "cancelled"
    assert answer.lines[-1]["usage"]["estimated"]
