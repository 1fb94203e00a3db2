"""`parlance chat` loses no answer: when its connection breaks it comes back, and goes on behind what it has shown."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from parlance.cli.chat.client import Asking, ChatClient
from parlance.cli.chat.connection import read_server
from parlance.cli.chat.conversation import Conversation
from parlance.cli.chat.told import Ended, Told
from parlance.testing.script import saying
from tests.acceptance.chat_command import Relay, piped, relay_to
from tests.acceptance.conftest import lab_server
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess

KEY = "key-of-the-relay-0123456789"
WITH_KEY = {"PARLANCE_KEY": KEY}


@pytest.fixture(scope="module")
def relayed(shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a key, which may be called by any name, and so by a relay's port."""
    settings = f"access: {{keys: {{web: {{key: {KEY}}}}}}}"
    with lab_server(tmp_path_factory.mktemp("relayed"), shared_upstream, settings) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def relay(relayed: ServerProcess, upstream: PlannedUpstream) -> AsyncIterator[Relay]:
    async with relay_to(relayed.port) as relay:
        yield relay


@pytest.mark.requirement("chat:resume")
async def test_an_answer_goes_on_where_its_connection_was_cut(
    relay: Relay, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(PAUSED)
    async with piped("--json", "Hello", "--url", relay.address, folder=tmp_path, settings=WITH_KEY) as chat:
        assert (await chat.until("text"))["text"] == "one"
        relay.cut()
        assert (await chat.line())["code"] == "connection_lost"
        upstream.requests[0].go()
        code, out, err = await chat.rest()
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [line["text"] for line in lines if line["kind"] == "text"] == [" two"]
    assert lines[-1]["status"] == "completed"
    assert (relay.connections, len(upstream.requests)) == (2, 1)


@pytest.mark.requirement("chat:resume")
async def test_a_plain_answer_is_whole_once_and_the_break_is_told_beside_it(
    relay: Relay, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(PAUSED)
    async with piped("Hello", "--url", relay.address, folder=tmp_path, settings=WITH_KEY) as chat:
        assert chat.process.stdout is not None
        assert await chat.process.stdout.readexactly(3) == b"one"
        relay.cut()
        upstream.requests[0].go()
        code, out, err = await chat.rest()
    assert (code, out) == (0, " two\n")
    assert err == "warning: The connection broke. Trying to go on where the answer was.\n"


@pytest.mark.requirement("chat:resume:gone")
async def test_a_server_that_does_not_come_back_ends_the_answer_with_what_was_shown(
    relay: Relay, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(PAUSED)
    async with piped(
        "--json", "Hello", "--url", relay.address, "--patience", "0.5", folder=tmp_path, settings=WITH_KEY
    ) as chat:
        await chat.until("text")
        relay.refuse()
        ended = await chat.until("ended")
        code, _, err = await chat.rest()
    assert (code, ended["status"], ended["code"]) == (1, "incomplete", "connection_lost")
    assert "did not come back" in err
    upstream.requests[0].go()


async def answer_of(client: ChatClient, text: str) -> list[Told]:
    return [told async for told in client.ask(text)]


@pytest.mark.requirement("chat:resume:conversation")
async def test_a_new_connection_is_told_the_conversation_so_far(relay: Relay, upstream: PlannedUpstream) -> None:
    upstream.plan(saying("first"), saying("second"), saying("third"))
    client = ChatClient(read_server(relay.address, KEY), Asking(), Conversation("Be brief."))
    await answer_of(client, "1")
    await answer_of(client, "2")
    relay.cut()
    await answer_of(client, "3")
    await client.close()
    wanted = [("system", "Be brief."), ("user", "1"), ("assistant", "first"), ("user", "2"), ("assistant", "second")]
    for number, length in ((0, 1), (1, 3), (2, 5)):
        messages = [(message["role"], message["content"]) for message in upstream.sent(number)["messages"]]
        assert messages == [*wanted[:length], ("user", str(number + 1))]


@pytest.mark.requirement("chat:commands")
async def test_a_forgotten_conversation_is_not_sent_and_its_system_text_is(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(*(saying("well") for _ in range(4)))
    client = ChatClient(read_server(lab.address, None), Asking(), Conversation())
    await answer_of(client, "1")
    client.conversation.instruct("Sing.")
    await answer_of(client, "2")
    client.conversation.forget()
    await answer_of(client, "3")
    client.conversation.instruct(None)
    client.conversation.forget()
    await answer_of(client, "4")
    await client.close()
    said = [[message["content"] for message in upstream.sent(number)["messages"]] for number in range(4)]
    assert said == [["1"], ["Sing.", "1", "well", "2"], ["Sing.", "3"], ["4"]]


class StubbornServer:
    """Speaks the WebSocket chat as each test wants it, which the real one does not."""

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []
        self.heard = asyncio.Event()

    async def lose_the_first(self, connection: ServerConnection) -> None:
        """The first question never arrives."""
        async for text in connection:
            frame = json.loads(text)
            self.frames.append(frame)
            request_id = frame["request_id"]
            if len(self.frames) == 1:
                connection.transport.abort()
            elif frame["action"] == "resume":
                refusal = {"request_id": request_id, "status": "error", "error": "?", "code": "turn_not_found"}
                await connection.send(json.dumps(refusal))
            else:
                for status in ("processing", "complete"):
                    await connection.send(json.dumps({"request_id": request_id, "status": status, "turn_id": "t"}))

    async def echo(self, connection: ServerConnection) -> None:
        """Is no Parlance."""
        async for _ in connection:
            await connection.send("Hello!")

    async def ignore_cancels(self, connection: ServerConnection) -> None:
        async for text in connection:
            frame = json.loads(text)
            self.frames.append(frame)
            if frame["action"] == "chat":
                begun = {"request_id": frame["request_id"], "status": "processing", "turn_id": "t"}
                await connection.send(json.dumps(begun))
            else:
                self.heard.set()


@pytest.mark.requirement("chat:resume:question_lost")
async def test_a_question_that_never_arrived_is_asked_again() -> None:
    stubborn = StubbornServer()
    async with serve(stubborn.lose_the_first, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        conversation = Conversation()
        conversation.add("before", "well")
        client = ChatClient(read_server(f"http://127.0.0.1:{port}", None), Asking(), conversation)
        *_, last = await answer_of(client, "Hello")
        await client.close()
    assert isinstance(last, Ended)
    assert last.status == "completed"
    assert [frame["action"] for frame in stubborn.frames] == ["chat", "resume", "chat"]
    assert stubborn.frames[0]["payload"] == stubborn.frames[2]["payload"]
    assert stubborn.frames[0]["request_id"] != stubborn.frames[2]["request_id"]


@pytest.mark.requirement("chat:failures")
async def test_a_server_that_speaks_something_else_is_said_to_do_so() -> None:
    async with serve(StubbornServer().echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = ChatClient(read_server(f"http://127.0.0.1:{port}", None), Asking(), Conversation())
        (ended,) = await answer_of(client, "Hello")
        await client.close()
    assert isinstance(ended, Ended)
    assert (ended.status, ended.code) == ("failed", "answer_invalid")


@pytest.mark.requirement("chat:cancel:twice")
async def test_a_second_interrupt_leaves_a_server_that_does_not_cancel(tmp_path: Path) -> None:
    stubborn = StubbornServer()
    async with serve(stubborn.ignore_cancels, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with piped("--json", "Hello", "--url", f"http://127.0.0.1:{port}", folder=tmp_path) as chat:
            await chat.until("started")
            chat.interrupt()
            await stubborn.heard.wait()
            chat.interrupt()
            ended = await chat.until("ended")
            code, _, _ = await chat.rest()
    assert (code, ended["status"], ended["code"]) == (130, "cancelled", "left")
