"""One open socket: its commands obeyed, its turns told."""

import asyncio
import logging

import msgspec
from starlette.types import Receive, Send

from parlance.core.errors import (
    InternalError,
    KeyMissing,
    ParlanceError,
    RequestIdInUse,
    SlowFollower,
    TooManyAtOnce,
    TurnNotFound,
    UnsupportedMediaType,
)
from parlance.core.ids import ChatId, TurnId, uuid7
from parlance.core.messages import Message
from parlance.core.principal import Principal
from parlance.core.trace import tracing
from parlance.dialects.chat_request import NEW_CHAT, Params, build_request
from parlance.dialects.ws_chat.commands import (
    Auth,
    Cancel,
    Chat,
    Command,
    FrameRefused,
    Results,
    Resume,
    decode_command,
)
from parlance.dialects.ws_chat.serve import TurnFrames, encode_authenticated, encode_error
from parlance.doors.accepting import Seat, close_code
from parlance.doors.beside import Beside
from parlance.doors.chatting import chat_ask
from parlance.doors.serving import Serving, reached
from parlance.doors.telling import Telling
from parlance.doors.visit import SayAtOnce
from parlance.engine.ask import Ask
from parlance.engine.conversation import Conversation
from parlance.engine.idempotency import Idempotency
from parlance.engine.view import TurnView

log = logging.getLogger(__name__)

DOOR = "ws_chat"
MAX_REQUESTS = 100
"""Requests that one socket may have running at once."""

MAX_ASKED = 1000
"""Requests of a socket, the newest, whose ids it remembers."""


class ChatSocket:
    """Obeys frames in order; each turn is started and told by tasks of its own, so that none waits for another."""

    def __init__(self, serving: Serving, receive: Receive, send: Send, at_once: SayAtOnce | None = None) -> None:
        self._serving = serving
        self._receive = receive
        self._send = send
        self._seat: Seat
        self._conversation = Conversation(serving.options.history_tokens)
        self._telling = Telling(send, _encode_cut, at_once)
        self._asked: dict[str, TurnId] = {}
        self._own_chat: ChatId | None = None
        self._opening = asyncio.Lock()
        self._beside = Beside()
        self._starting: dict[str, bool] = {}
        """Requests that wait for their turn to be started, and whether it was cancelled before it began."""

    async def serve(self, seat: Seat) -> None:
        """Until the client leaves. Its live turns go on without it. A seat that is nobody's has yet to sign in."""
        self._seat = seat
        try:
            if seat.principal is not None or await self._sign_in():
                await self._obey_all()
        except OSError:
            # The server's way to say that the client went away while something was sent to it.
            log.debug("A client left in the middle of a frame")
        finally:
            await self._beside.done()
            await self._telling.close()

    async def _obey_all(self) -> None:
        while (text := await self._next_frame()) is not None:
            try:
                command = decode_command(text)
            except FrameRefused as refusal:
                await self._refuse(refusal.error, refusal.request_id)
                continue
            with tracing(request=command.request_id):
                if isinstance(command, Chat):
                    # Which model is meant may have to be asked of its host.
                    await self._beside.run(self._obey(command))
                else:
                    await self._obey(command)

    async def _next_frame(self) -> str | None:
        """The next text frame; None when the client has left. A binary frame is refused, and the socket lives on."""
        while (message := await self._receive())["type"] != "websocket.disconnect":
            text: str | None = message.get("text")
            if text is not None:
                return text
            error = UnsupportedMediaType("This was a binary frame. Send JSON in text frames.")
            await self._refuse(error, None)
        return None

    async def _sign_in(self) -> bool:
        limit, request_id = self._serving.options.sign_in, None
        try:
            async with asyncio.timeout(limit):
                text = await self._next_frame()
            if text is None:
                return False
            command = decode_command(text)
            request_id = command.request_id
            if not isinstance(command, Auth):
                raise KeyMissing('This server needs a key. Send {"action":"auth","payload":{"key":…}} first.')
            await self._authenticate(command)
        except TimeoutError:
            return await self._turn_away(KeyMissing(f"No key came within {limit:g} s."), None)
        except FrameRefused as refusal:
            return await self._turn_away(refusal.error, refusal.request_id)
        except ParlanceError as error:
            return await self._turn_away(error, request_id)
        return True

    async def _turn_away(self, error: ParlanceError, request_id: str | None) -> bool:
        await self._say(encode_error(error, request_id))
        await self._send({"type": "websocket.close", "code": close_code(error), "reason": error.code})
        return False

    async def _obey(self, command: Command) -> None:
        try:
            match command:
                case Chat():
                    await self._chat(command)
                case Cancel():
                    await self._cancel(command)
                case Resume():
                    await self._resume(command)
                case Results():
                    await (await self._find(command)).answer(command.answers)
                case Auth():
                    await self._authenticate(command)
        except ParlanceError as error:
            await self._refuse(error, command.request_id)
        except OSError:
            raise
        except Exception:
            log.exception("A frame failed by a bug")
            await self._refuse(InternalError(), command.request_id)

    async def _authenticate(self, auth: Auth) -> None:
        principal = self._serving.gate.authenticate_key(auth.key)
        before = self._seat.principal
        self._seat.belong(principal)
        if before is not None and principal.home != before.home:
            # What was said for one subtenant must not become another's history.
            self._conversation = Conversation(self._serving.options.history_tokens)
            self._own_chat = None
        await self._say(encode_authenticated(auth.request_id))

    async def _chat(self, chat: Chat) -> None:
        request_id = chat.request_id or str(uuid7())
        self._check_free(request_id)
        self._starting[request_id] = False
        try:
            if chat.chat_id is None and chat.history is None and self._serving.options.stores_all:
                await self._chat_in_own(chat, request_id)
            elif chat.chat_id is not None:
                await self._chat_in(chat.chat_id, chat, request_id)
            else:
                await self._chat_here(chat, request_id)
        finally:
            del self._starting[request_id]

    async def _chat_here(self, chat: Chat, request_id: str) -> None:
        """The connection is the conversation."""
        conversation = self._conversation
        turn = await self._start(self._ask(chat, request_id, conversation.history()))
        if self._serving.options.keeps_history:
            if chat.history is not None:
                conversation.replace(chat.history)
            conversation.accept(turn)
        self._follow(turn, request_id, None, chat.params)

    async def _chat_in(self, wanted: str, chat: Chat, request_id: str) -> TurnView:
        """Its history is the stored chat's own."""
        ask = msgspec.structs.replace(self._ask(chat, request_id, ()), chat=chat_ask(wanted, self._who))
        turn = await self._start(ask)
        self._follow(turn, request_id, None, chat.params)
        return turn

    async def _chat_in_own(self, chat: Chat, request_id: str) -> None:
        """In the chat that the connection is; made with its first message, for which others wait."""
        async with self._opening:
            if self._own_chat is None:
                self._own_chat = (await self._chat_in(NEW_CHAT, chat, request_id)).facts.chat
                return
        await self._chat_in(self._own_chat, chat, request_id)

    def _ask(self, chat: Chat, request_id: str, history: tuple[Message, ...]) -> Ask:
        given = history if chat.history is None else chat.history
        request = build_request(given, chat.message, model=chat.model, tools=chat.tools, params=chat.params)
        repeatable = Idempotency.of(chat.idempotency_key, chat.payload)
        return Ask(self._who, DOOR, request_id, request, chat.message, repeatable)

    async def _start(self, ask: Ask) -> TurnView:
        turn = await self._serving.engine.start(ask)
        if self._starting[ask.request_id]:
            turn.stop("cancelled")
        return turn

    async def _cancel(self, cancel: Cancel) -> None:
        if cancel.turn_id is None and cancel.request_id in self._starting:
            self._starting[cancel.request_id] = True
        else:
            (await self._find(cancel)).stop("cancelled")

    async def _resume(self, resume: Resume) -> None:
        turn = await self._find(resume)
        await reached(turn, resume.after)
        request_id = resume.request_id or turn.facts.request_id
        try:
            self._check_free(request_id)
        except ParlanceError as error:
            # The client may have named the turn alone: it has to hear whose frames it would have got.
            await self._refuse(error, request_id)
            return
        self._follow(turn, request_id, resume.after, resume.params)

    @property
    def _who(self) -> Principal:
        if self._seat.principal is None:
            raise KeyMissing("This socket has not signed in.")
        return self._seat.principal

    async def _find(self, named: Cancel | Resume | Results) -> TurnView:
        engine = self._serving.engine
        if named.turn_id is not None:
            return await engine.find(named.turn_id, self._who)
        request_id = named.request_id or ""
        if request_id in self._asked:
            return await engine.find(self._asked[request_id], self._who)
        if isinstance(named, Resume):
            return engine.find_request(request_id, self._who)
        # Clients may number their requests from 1: a late word of this one must not meet another's turn.
        raise TurnNotFound(
            f"No request {request_id[:80]!r} was made on this socket. Give the turn_id, or resume it first."
        )

    def _check_free(self, request_id: str) -> None:
        if self._is_running(request_id):
            raise RequestIdInUse(
                f"The request {request_id!r} is running on this socket, and goes on. Choose another id for a new one."
            )
        if len(self._telling) + len(self._starting) >= MAX_REQUESTS:
            raise TooManyAtOnce(f"{MAX_REQUESTS} requests run on this socket, which is the limit.", limit="requests")

    def _is_running(self, request_id: str) -> bool:
        return request_id in self._telling or request_id in self._starting

    def _follow(self, turn: TurnView, request_id: str, after: str | None, params: Params) -> None:
        self._asked.pop(request_id, None)
        self._asked[request_id] = turn.id
        if len(self._asked) > MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        self._telling.begin(
            request_id, turn, after, TurnFrames(request_id, turn.id, turn.log.epoch, params, turn.facts.chat)
        )

    async def _refuse(self, error: ParlanceError, request_id: str | None) -> None:
        """An error that ends no request. One that still runs must not be named as if it had ended."""
        self._serving.limits.refusals.tell(error, "a frame")
        running = request_id is not None and self._is_running(request_id)
        await self._say(encode_error(error, None if running else request_id, rejected=request_id if running else None))

    async def _say(self, frame: str) -> None:
        await self._send({"type": "websocket.send", "text": frame})


def _encode_cut(error: SlowFollower, request_id: str) -> str:
    return encode_error(error, None, rejected=request_id)
