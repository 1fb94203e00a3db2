"""A host that never waits: all of a long answer is there before any reader has its turn. Each door tells it whole."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.acceptance.chat_lines import ask, open_client
from tests.acceptance.chat_socket import open_chat, statuses, text_of
from tests.acceptance.rpc_session import RpcSession, create_session, join
from tests.acceptance.server_process import ServerProcess

WORDS = 3_000
ASKED = f"/words {WORDS}"


async def heard(session: RpcSession) -> str:
    end = (await session.answer())[-1]
    assert end["method"] == "end", end
    text: str = end["params"]["final_text"]
    return text


@pytest.mark.requirement("server:bursts")
async def test_a_long_answer_that_comes_all_at_once_is_told_whole_at_every_door(demo: ServerProcess) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(demo))
        chat = await stack.enter_async_context(open_chat(demo))
        session_id = await create_session(demo)
        sessions = [await stack.enter_async_context(join(demo, session_id)) for _ in range(2)]
        texts = [(await ask(client, ASKED)).text]
        for chat_id in (None, "new"):
            frames = await chat.ask(ASKED, **({} if chat_id is None else {"chat_id": chat_id}))
            assert statuses(frames)[-1] == "complete", frames[-1]
            texts.append(text_of(frames))
        await sessions[0].generate(ASKED)
        texts += await asyncio.gather(*map(heard, sessions))
    assert {len(text.split()) for text in texts} == {WORDS}
    assert len(set(texts)) == 1
