"""A stopping server tells every client how its turn ended, before it closes anything."""

from pathlib import Path

import pytest

from tests.acceptance.chat_lines import Answer, open_client
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.server_process import started

LONG = "/slow 0.02 /words 60"
GRACE = {"PARLANCE_SERVER__STOP_GRACE": "10"}
NO_GRACE = {"PARLANCE_SERVER__STOP_GRACE": "0.01"}


@pytest.mark.requirement("server:stop:grace")
async def test_turns_that_end_within_the_grace_are_told_whole_and_no_new_ones_begin(tmp_path: Path) -> None:
    async with started(tmp_path, GRACE) as server, open_chat(server) as chat, open_client(server) as client:
        request_id = await chat.chat(LONG)
        await chat.frames_until(request_id, "text")
        async with client.stream("POST", "/chat", json={"message": LONG}) as response:
            answer = Answer(response)
            await answer.until("delta")
            server.terminate()
            while (await client.get("/ready")).status_code != 503:
                continue
            refused = await client.post("/chat", json={"message": "Hello"})
            assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
            assert int(refused.headers["retry-after"]) > 0
            await answer.rest()
        assert (answer.whole, answer.lines[-1]["done"], len(answer.text.split())) == (True, True, 60)
        frames = await chat.answer(request_id)
        assert (frames[-1]["status"], frames[-1]["metadata"]["status"]) == ("complete", "completed")
        assert await chat.closed() == 1012


@pytest.mark.requirement("server:stop:interrupted")
async def test_turns_that_do_not_are_told_as_incomplete(tmp_path: Path) -> None:
    async with started(tmp_path, NO_GRACE) as server, open_chat(server) as chat, open_client(server) as client:
        request_id = await chat.chat("/slow 5 /words 60")
        await chat.frames_until(request_id, "processing")
        async with client.stream("POST", "/chat", json={"message": "/slow 5 /words 60"}) as response:
            answer = Answer(response)
            await answer.until("meta")
            server.terminate()
            await answer.rest()
        assert answer.whole is False
        assert [line.get("error", line)["code"] for line in answer.lines[-2:-1]] == ["interrupted"]
        assert answer.lines[-1]["status"] == "incomplete"
        last = (await chat.answer(request_id))[-1]
        assert (last["status"], last["code"]) == ("error", "interrupted")
        assert await chat.closed() == 1012
