"""Door A: a client may bring the conversation along, as after a connection that broke."""

from pathlib import Path

import pytest

from parlance.testing.script import saying
from tests.acceptance.chat_socket import ChatSocket, open_chat
from tests.acceptance.conftest import LAB
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import started

GIVEN = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": ""},
    {"role": "user", "content": "Well?"},
    {"role": "assistant", "content": "Hi."},
]


def said(upstream: PlannedUpstream, number: int) -> list[str]:
    return [message["content"] for message in upstream.sent(number)["messages"]]


@pytest.mark.requirement("ws_chat:history:given")
async def test_a_given_history_takes_the_place_of_what_the_connection_remembers(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(*(saying(f"answer {number}") for number in range(4)))
    await lab_chat.ask("forgotten")
    await lab_chat.ask("1", history=GIVEN)
    await lab_chat.ask("2")
    await lab_chat.ask("3", history=[])
    assert "".join(said(upstream, 1)).startswith("Be brief.Hello")
    assert said(upstream, 1)[-2:] == ["Hi.", "1"]
    assert said(upstream, 2) == [*said(upstream, 1), "answer 1", "2"]
    assert said(upstream, 3) == ["3"]


@pytest.mark.requirement("ws_chat:history:given")
async def test_where_connections_remember_nothing_a_given_history_is_for_its_request_alone(
    upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(saying("one"), saying("two"))
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url, "PARLANCE_SERVER__WS__HISTORY": "none"}
    async with started(tmp_path, settings) as server, open_chat(server) as chat:
        await chat.ask("1", history=GIVEN[-2:])
        await chat.ask("2")
    assert (said(upstream, 0), said(upstream, 1)) == (["Well?", "Hi.", "1"], ["2"])


@pytest.mark.requirement("ws_chat:history:given_bad")
@pytest.mark.parametrize(
    "history", ["Hello", [{"role": "tool", "content": "x"}], [{"role": "user"}], [{"role": "user", "content": "\0"}]]
)
async def test_a_history_that_is_none_is_refused_and_changes_nothing(
    lab_chat: ChatSocket, upstream: PlannedUpstream, history: object
) -> None:
    upstream.plan(saying("one"), saying("two"))
    await lab_chat.ask("1")
    (refusal,) = await lab_chat.ask("no", history=history)
    assert (refusal["status"], refusal["code"]) == ("error", "invalid_request")
    assert "$.payload.history" in refusal["error"]
    await lab_chat.ask("2")
    assert said(upstream, 1) == ["1", "one", "2"]
