"""A client of door D in this process."""

import json
from collections.abc import Mapping
from typing import Any

from tests.unit.doors.asgi import Connection, Exchange, House, Message, scope_of


async def make_session(house: House, **body: object) -> str:
    exchange = Exchange(house, "POST", "/create_session", json.dumps(body).encode(), {"content-length": "1"})
    status, _ = await exchange.head()
    answer: dict[str, Any] = json.loads((await exchange.take())["body"])
    await exchange.ended()
    assert status == 200, answer
    session_id: str = answer["session_id"]
    return session_id


class RpcClient(Connection):
    def __init__(self, house: House, session_id: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(house, scope_of("websocket", f"/ws/{session_id}", headers, subprotocols=[]))
        self.session_id = session_id
        self.gone = False
        self.put("websocket.connect")

    async def accepted(self) -> None:
        assert (await self.take())["type"] == "websocket.accept"

    async def _send(self, message: Mapping[str, Any]) -> None:
        """What is sent to a client that is gone is an `OSError`, as of servers."""
        if self.gone:
            raise OSError
        await super()._send(message)

    def call(self, method: str, **params: object) -> None:
        self.put("websocket.receive", text=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))

    async def frame(self) -> Message:
        message = await self.take()
        assert message["type"] == "websocket.send", message
        frame: Message = json.loads(message["text"])
        return frame

    def heard(self) -> Message | None:
        """A frame that has come already; None when there is none."""
        if self._from_app.empty():
            return None
        frame: Message = json.loads(self._from_app.get_nowait()["text"])
        return frame

    async def response(self) -> Message:
        while "method" in (frame := await self.frame()):
            pass
        return frame

    async def generate(self, message: str = "Hello", **params: object) -> str:
        """The task's id."""
        self.call("generate", message=message, **params)
        response = await self.response()
        task_id: str = response["result"]["task_id"]
        return task_id

    async def until(self, *wanted: str) -> Message:
        """The parameters of the first notification of a wanted method."""
        while (frame := await self.frame()).get("method") not in wanted:
            pass
        params: Message = frame["params"]
        return params

    async def leave(self) -> None:
        self.put("websocket.disconnect", code=1005)
        await self.ended()


async def opened(house: House, **body: object) -> RpcClient:
    """A client in a new session."""
    client = RpcClient(house, await make_session(house, **body))
    await client.accepted()
    return client
