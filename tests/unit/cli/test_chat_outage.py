"""A client whose question breaks every connection gives up in the end."""

import asyncio
import json

from websockets.asyncio.server import ServerConnection, serve

from parlance.cli.chat.client import Asking, ChatClient
from parlance.cli.chat.connection import Server
from parlance.cli.chat.conversation import Conversation
from parlance.cli.chat.told import Ended

PATIENCE = 10.0


async def test_a_question_at_which_the_server_breaks_is_not_asked_for_ever() -> None:
    async def break_at_questions(socket: ServerConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame["action"] == "chat":
                socket.transport.abort()
                return
            refusal = {"request_id": frame["request_id"], "status": "error", "code": "turn_not_found"}
            await socket.send(json.dumps(refusal))

    async with serve(break_at_questions, "127.0.0.1", 0) as server, asyncio.timeout(PATIENCE):
        address = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        client = ChatClient(Server(address), Asking(patience=0.3), Conversation())
        told = [one async for one in client.ask("Hello")]
        await client.close()
    assert isinstance(told[-1], Ended)
    assert (told[-1].status, told[-1].code) == ("failed", "connection_lost")
