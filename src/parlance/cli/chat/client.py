"""A client of the WebSocket chat: one conversation, one answer at a time, resumed when the connection breaks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from parlance.cli.chat.connection import Server, Unreachable, open_connection
from parlance.cli.chat.conversation import Conversation
from parlance.cli.chat.heard import decode_frame
from parlance.cli.chat.outage import Outage
from parlance.cli.chat.reading import TURN_NOT_FOUND, AnswerReading
from parlance.cli.chat.told import Ended, Started, Told, Warned
from parlance.core.ids import uuid7

TOO_LARGE, REFUSED = 1009, 1008
"""Codes with which a server closes."""

_encode = msgspec.json.Encoder().encode


class Asking(Struct):
    """How questions are asked; may change from one to the next. `patience`: seconds to reconnect for."""

    model: str | None = None
    reasoning: bool = True
    patience: float = 60.0


class ChatClient:
    """Ask, and read the answer to its `Ended`, before you ask again."""

    def __init__(self, server: Server, asking: Asking, conversation: Conversation) -> None:
        self.server = server
        self.asking = asking
        self.conversation = conversation
        self._connection: ClientConnection | None = None
        self._knower: ClientConnection | None = None
        self._reading = AnswerReading("")
        self._sent = False
        self._cancelled = False
        self._acts: set[asyncio.Task[None]] = set()

    @property
    def request_id(self) -> str:
        """Of the newest question."""
        return self._reading.request_id

    async def ask(self, text: str) -> AsyncGenerator[Told]:
        """The answer, an `Ended` last, whatever happens. What was shown joins the conversation, also of one that is
        left in the middle.
        """
        self._reading, self._sent, self._cancelled = AnswerReading(str(uuid7())), False, False
        try:
            async for told in self._answer(text):
                yield told
        finally:
            if self._reading.turn_id is not None:
                self.conversation.add(text, self._reading.text)

    def cancel(self) -> bool:
        """End the answer at the server. False where nobody can be told: nothing was asked, or nothing is connected."""
        self._cancelled = True
        if not self._sent or self._connection is None or self._connection.state is not State.OPEN:
            return False
        task = asyncio.create_task(self._send_cancel(self._connection))
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)
        return True

    async def close(self) -> None:
        """Leave. An answer that still runs is cancelled, for nobody waits for it any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._sent:
                await self._send_cancel(connection)
            await connection.close()

    async def _answer(self, text: str) -> AsyncIterator[Told]:
        try:
            connection = await self._connect()
        except Unreachable as error:
            yield self._reading.lose(error.code, error.message)
            return
        outage = Outage(self.asking.patience)
        while True:
            try:
                resumes = await self._begin(connection, text)
                async for told in self._hear(connection, resumes=resumes, outage=outage):
                    yield told
                    if isinstance(told, Ended):
                        self._sent = False
                        return
                continue
            except msgspec.MsgspecError:
                await connection.close()
                text = f"What {self.server.address} said is not the WebSocket chat. Is this a Parlance server?"
                yield self._reading.lose("answer_invalid", text)
                return
            except ConnectionClosed as closed:
                self._connection = None
                if (ending := self._refusal(closed)) is not None:
                    yield ending
                    return
            yield Warned("connection_lost", "The connection broke. Trying to go on where the answer was.")
            try:
                connection = await self._reconnect(outage)
            except Unreachable as error:
                yield self._reading.lose("connection_lost", error.message)
                return

    async def _connect(self) -> ClientConnection:
        if self._connection is None or self._connection.state is not State.OPEN:
            self._connection = await open_connection(self.server)
        return self._connection

    async def _reconnect(self, outage: Outage) -> ClientConnection:
        reason = f"The connection to {self.server.address} broke, and did not come back. Ask again."
        while await outage.wait():
            try:
                return await self._connect()
            except Unreachable as error:
                reason = f"The connection broke, and did not come back. {error.message}"
                if not error.passing:
                    break
        raise Unreachable("connection_lost", reason)

    async def _begin(self, connection: ClientConnection, text: str) -> bool:
        """Ask, or go on with what was asked before: whether it was the latter."""
        resumes, self._sent = self._sent, True
        frame = self._resume_frame() if resumes else self._chat_frame(connection, text)
        await connection.send(_encode(frame), text=True)
        if self._cancelled:
            await self._send_cancel(connection)
        return resumes

    async def _hear(self, connection: ClientConnection, *, resumes: bool, outage: Outage) -> AsyncIterator[Told]:
        """Ends with an `Ended`; without one where the question never reached the server, and is to be asked anew."""
        while True:
            frame = decode_frame(await connection.recv())
            if not self._reading.concerns(frame):
                continue
            if resumes and frame.code == TURN_NOT_FOUND:
                if self._reading.turn_id is None:
                    self._reading, self._sent = AnswerReading(str(uuid7())), False
                else:
                    yield self._reading.lose(
                        TURN_NOT_FOUND, "The server does not have this answer any more. Ask again."
                    )
                return
            # Not before: a server that breaks at this very question is not asked it for ever.
            outage.end()
            for told in self._reading.take(frame):
                if isinstance(told, Started) and not resumes:
                    self._knower, self.conversation.changed = connection, False
                yield told

    def _refusal(self, closed: ConnectionClosed) -> Ended | None:
        """The ending, where the server closed for a reason that coming back does not mend."""
        code = closed.rcvd.code if closed.rcvd is not None else None
        if code == TOO_LARGE:
            text = "The message is larger than the server takes. Send less text."
            return self._reading.lose("message_too_large", text)
        if code == REFUSED and closed.rcvd is not None:
            return self._reading.lose(
                "refused", f"The server closed the connection: {closed.rcvd.reason or 'refused'}."
            )
        return None

    def _chat_frame(self, connection: ClientConnection, text: str) -> dict[str, object]:
        payload: dict[str, object] = {"text": text, "params": self._params}
        if self.asking.model is not None:
            payload["model"] = self.asking.model
        history = self.conversation.history()
        if self.conversation.changed or (history and self._knower is not connection):
            payload["history"] = history
        return {"action": "chat", "payload": payload, "request_id": self._reading.request_id}

    def _resume_frame(self) -> dict[str, object]:
        reading = self._reading
        return {
            "action": "resume",
            "payload": {"params": self._params},
            "request_id": reading.request_id,
            "turn_id": reading.turn_id,
            "after": reading.cursor,
        }

    @property
    def _params(self) -> dict[str, object]:
        return {"reasoning": self.asking.reasoning, "warnings": True}

    async def _send_cancel(self, connection: ClientConnection) -> None:
        reading = self._reading
        frame = {"action": "cancel", "request_id": reading.request_id, "turn_id": reading.turn_id}
        # A connection that breaks now is found so by whoever reads it.
        with contextlib.suppress(ConnectionClosed):
            await connection.send(_encode(frame), text=True)
