"""Clients that speak in one chat all at once, at any door of any of its processes; they cancel, answer calls, leave in
the middle, send twice, and delete the chat. What they did and what they were told is written down.
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from websockets.exceptions import ConnectionClosed

from parlance.core.stores.turns import SendPolicy
from parlance.testing.reply import Reply
from parlance.testing.script import Script
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import Voice, Wanted
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import join
from tests.acceptance.scripts import WEATHER, calling
from tests.fault.histories import Send, answer_to, marks_of, question
from tests.fault.plain_http import PlainAnswer, posted
from tests.fault.resuming import Doors, events_of

PATIENCE = 40.0
"""Seconds for one thing that a client does: longer than a queue of sixteen takes."""

GONE = ("chat_not_found", "session_not_found", "turn_not_found")
REFUSED = ("chat_busy", "chat_queue_full", *GONE)
"""What a client may be told instead of an answer."""

AWAY = "storage_unavailable"
"""A machine with too much to do may keep its database from answering in time; nobody knows then what became of it."""

UNANSWERABLE = ("call_not_waiting", AWAY, *GONE)


class EchoingUpstream(PlannedUpstream):
    """Answers each question as it asks to be answered, and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, list[list[str]]] = defaultdict(list)

    def _script(self, request: UpstreamRequest, voice: Voice, wanted: Wanted) -> Script:
        script = super()._script(request, voice, wanted)
        if wanted != "answer" or script is not self._default:
            return script
        messages = json.loads(request.body)["messages"]
        asked = max(place for place, message in enumerate(messages) if message["role"] == "user")
        # Neighbours of one role may have been made one message.
        text = str(messages[asked]["content"])
        text = text[text.rindex("<") :]
        self.shown[text].append(marks_of([message.get("content") for message in messages]))
        if text.endswith("call") and asked == len(messages) - 1:
            return calling(("get_weather", '{"city":"Oslo"}'))
        return Script(reply=Reply(text=answer_to(text)), event_delay=0.002)


class Room(Struct):
    """One chat, and what is known of it."""

    chat: str
    sends: list[Send] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    deleted: bool = False


class Process(Struct, frozen=True):
    """One server, and what it does with a message for a chat that is busy."""

    doors: Doors
    policy: SendPolicy


class Refused(Exception):
    """Instead of an answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Heard(Struct):
    """What one sender was told so far. `call` waits for it; `over`: it was told the ending."""

    turn: str | None = None
    words: int = 0
    call: str | None = None
    over: bool = False


Next = Callable[[], Awaitable[bool]]
"""Hears one thing more; False when nothing more will come."""


class Chatter:
    """Does one thing after the other until it is told to stop."""

    def __init__(self, number: int, seed: int, processes: Sequence[Process], rooms: Sequence[Room]) -> None:
        self.number = number
        self.dice = random.Random(f"{seed}/{number}")
        self.done: list[str] = []
        self._processes = processes
        self._rooms = rooms
        self._count = 0

    async def chat(self, over: asyncio.Event) -> None:
        while not over.is_set():
            self._count += 1
            act = self.dice.choices(("send", "twice", "cancel", "answer"), (8, 1, 2, 1))[0]
            self.done.append(act)
            try:
                async with asyncio.timeout(PATIENCE):
                    await getattr(self, f"_{act}")()
            except BaseException as error:
                error.add_note(f"client {self.number}, act {self._count}: {act}")
                raise

    @property
    def _room(self) -> Room:
        return self._rooms[-1]

    def _process(self) -> Process:
        return self.dice.choice(self._processes)

    async def _send(self) -> None:
        room, process = self._room, self._process()
        way = self.dice.choice((self._at_a, self._at_b, self._at_c, self._at_d))
        text = question(f"{self.number}.{self._count}", self.dice.randint(1, 8), calls=self.dice.random() < 0.15)
        send = Send(text, process.policy, asyncio.get_running_loop().time())
        room.sends.append(send)
        try:
            await way(room, process, send)
        except Refused as refusal:
            if refusal.code == AWAY:
                self.done.append(AWAY)
                return
            if refusal.code not in REFUSED or (refusal.code in GONE and not room.deleted):
                raise
            send.refused = refusal.code

    async def _twice(self) -> None:
        """The same request at two processes at once: one turn, and both are told of it."""
        room, text = self._room, question(f"{self.number}.{self._count}", 2, calls=False)
        policies = {process.policy for process in self._processes}
        first, second = self._process(), self._process()
        # Which of them was the first to be accepted nobody is told.
        policy: SendPolicy = "interrupt" if "interrupt" in policies else "queue"
        send = Send(text, policy, asyncio.get_running_loop().time())
        room.sends.append(send)
        key = {"idempotency-key": f"{self.number}.{self._count}"}
        told = await asyncio.gather(*(self._later(room, one, text, key) for one in (first, second)))
        send.told_at = asyncio.get_running_loop().time()
        turns = {turn for turn, _ in told if turn is not None}
        if turns:
            (send.turn,) = turns
            room.turns.append(send.turn)
        elif not (codes := {code for _, code in told}) & {AWAY}:
            send.refused = told[0][1]
            assert codes <= set(REFUSED), told

    async def _later(
        self, room: Room, process: Process, text: str, key: Mapping[str, str]
    ) -> tuple[str | None, str | None]:
        path = f"/api/v1/chats/{room.chat}/messages"
        headers = {"prefer": "respond-async", **key}
        async with posted(process.doors.server.port, path, {"content": text}, headers) as answer:
            told = json.loads(await answer.body())
        return told.get("id"), told.get("code")

    async def _cancel(self) -> None:
        """Any turn that ever was, at any process: often it is over, or its chat is gone."""
        room = self.dice.choice(self._rooms[-2:])
        if room.turns:
            await self._cancel_turn(room, self.dice.choice(room.turns[-12:]))

    async def _cancel_turn(self, room: Room, turn: str) -> None:
        room.cancelled.add(turn)
        port, paths = self._process().doors.server.port, (f"/api/v1/turns/{turn}/cancel", f"/chat/{turn}/cancel")
        async with posted(port, self.dice.choice(paths), {}) as answer:
            told = json.loads(await answer.body())
        assert answer.status == 200 or told["code"] in (AWAY, *GONE), told

    async def _answer(self) -> None:
        """A call that was never made."""
        room = self._room
        if room.turns:
            code = await self._give(self.dice.choice(room.turns[-12:]), "call_unknown")
            assert code in UNANSWERABLE, code

    async def _give(self, turn: str, call: str) -> str | None:
        """The code, where the result was refused."""
        port, body = self._process().doors.server.port, {"results": [{"tool_call_id": call, "output": "rain"}]}
        async with posted(port, f"/chat/{turn}/tool_results", body) as answer:
            told = json.loads(await answer.body())
        assert answer.status == 200 or told["code"] in UNANSWERABLE, told
        return None if answer.status == 200 else str(told["code"])

    async def _listen(self, room: Room, send: Send, heard: Heard, more: Next) -> None:
        """To its end, or until this client has heard enough; it may cancel, and answer what it is asked."""
        whim = self.dice.choices(("stay", "leave", "cancel", "leave unheard"), (6, 2, 2, 1))[0]
        enough = self.dice.randint(0, 8)
        if whim == "leave unheard":
            return
        while await more():
            if heard.turn is not None and send.turn is None:
                send.turn, send.told_at = heard.turn, asyncio.get_running_loop().time()
                room.turns.append(heard.turn)
            if heard.over or (whim == "leave" and heard.words >= enough):
                return
            if whim == "cancel" and heard.turn is not None and heard.words >= enough:
                await self._cancel_turn(room, heard.turn)
                whim = "stay"
            if heard.call is not None and heard.turn is not None:
                if self.dice.random() < 0.5:
                    return
                await self._give(heard.turn, heard.call)
                heard.call = None
        raise AssertionError(f"{send.text!r} was told no ending")

    async def _at_c(self, room: Room, process: Process, send: Send) -> None:
        heard = Heard()
        body = {"message": send.text, "chat_id": room.chat, "tools": [WEATHER]}
        async with posted(process.doors.server.port, "/chat", body) as answer:
            await _check(answer)
            lines = answer.lines()

            async def more() -> bool:
                line = json.loads(await anext(lines) or "{}")
                heard.turn = line.get("meta", {}).get("turn_id", heard.turn)
                heard.words += "delta" in line
                heard.call = line.get("tool_call", {}).get("id", heard.call)
                heard.over = "done" in line
                return True

            await self._listen(room, send, heard, more)

    async def _at_b(self, room: Room, process: Process, send: Send) -> None:
        heard = Heard()
        body = {"content": send.text, "tools": [{"type": "function", "function": WEATHER}]}
        path = f"/api/v1/chats/{room.chat}/messages/stream"
        async with posted(process.doors.server.port, path, body) as answer:
            await _check(answer)
            events = events_of(answer.lines())

            async def more() -> bool:
                event = await anext(events)
                heard.over = event.data == "[DONE]"
                told = {} if heard.over else json.loads(event.data)
                heard.turn = told.get("turn_id", heard.turn)
                heard.words += not event.name
                if event.name == "tool_call":
                    heard.call = told.get("id", heard.call)
                return True

            await self._listen(room, send, heard, more)

    async def _at_a(self, room: Room, process: Process, send: Send) -> None:
        heard = Heard()
        async with open_chat(process.doors.server) as socket:
            request = await socket.chat(send.text, chat_id=room.chat, tools=[WEATHER])

            async def more() -> bool:
                frame = await socket.frame_of(request)
                if frame["status"] == "error" and heard.turn is None and "turn_id" not in frame:
                    raise Refused(frame["code"])
                heard.turn = frame.get("turn_id", heard.turn)
                heard.over = frame["status"] in ("complete", "error")
                chunk = frame.get("chunk", {})
                heard.words += chunk.get("type") == "text"
                if chunk.get("type") == "tool_call":
                    heard.call = json.loads(chunk["data"])["id"]
                return True

            await self._listen(room, send, heard, more)
            socket.connection.transport.abort()

    async def _at_d(self, room: Room, process: Process, send: Send) -> None:
        heard = Heard()
        queues = self.dice.random() < 0.5
        send.policy = "queue" if queues else "reject"
        body = {"chat_id": room.chat, "queue": queues, "tools": [WEATHER]}
        async with posted(process.doors.server.port, "/create_session", body) as answer:
            await _check(answer)
            session_id = json.loads(await answer.body())["session_id"]
        async with join(process.doors.server, session_id) as session:
            try:
                response = await session.call("generate", message=send.text)
            except ConnectionClosed as closed:
                # What was wrong with the session is known before anything is asked of it.
                raise Refused(closed.rcvd.reason if closed.rcvd is not None else "nothing said") from closed
            if "error" in response:
                raise Refused(response["error"]["data"]["code"])
            heard.turn = response["result"]["task_id"]

            async def more() -> bool:
                notice: dict[str, Any] = await session.notice()
                if notice["params"]["task_id"] == heard.turn:
                    heard.over = notice["method"] in ("end", "error")
                    heard.words += notice["method"] == "text_chunk"
                    if notice["method"] == "function_call_request":
                        heard.call = notice["params"]["request_id"]
                return True

            await self._listen(room, send, heard, more)
            session.connection.transport.abort()


async def _check(answer: PlainAnswer) -> None:
    if answer.status != 200:
        raise Refused(json.loads(await answer.body())["code"])
