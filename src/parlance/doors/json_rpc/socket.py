"""One open socket of a session: its calls obeyed and answered, the session's turns told."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from msgspec import Struct
from starlette.types import Receive, Send

from parlance.core.errors import (
    InternalError,
    KeyMissing,
    NothingToCancel,
    ParlanceError,
    TurnNotFound,
    UnsupportedMediaType,
)
from parlance.core.ids import TurnId
from parlance.core.principal import Principal
from parlance.dialects.chat_request import Params
from parlance.dialects.json_rpc.commands import Auth, Cancel, Command, Generate, Results, Resume, decode_command
from parlance.dialects.json_rpc.envelope import (
    NULL,
    Call,
    Frame,
    Invalid,
    decode_frame,
    encode_error,
    encode_responses,
    encode_result,
)
from parlance.dialects.json_rpc.faults import encode_refusal
from parlance.dialects.json_rpc.serve import TurnNotices, encode_notice, unanswered_calls
from parlance.dialects.json_rpc.wire import Done
from parlance.doors.accepting import Seat, close_code
from parlance.doors.beside import Beside
from parlance.doors.json_rpc.session import Session, Task
from parlance.doors.json_rpc.sessions import Sessions
from parlance.doors.serving import Serving, newest, reached
from parlance.doors.telling import Telling
from parlance.doors.visit import SayAtOnce
from parlance.engine.engine import RESISTANCE
from parlance.engine.view import TurnView

log = logging.getLogger(__name__)

UNSUPPORTED_DATA = 1003


class _Tale(Struct, frozen=True):
    """A turn to be told from behind the cursor `after` on, and what to say before that."""

    turn: TurnView
    after: str | None
    notices: TurnNotices
    first: tuple[str, ...] = ()


class _Begun(Struct, frozen=True):
    """What a frame has begun: the turns to be told, and those that were told to stop."""

    tales: list[_Tale]
    stopped: list[TurnView]


class RpcSocket:
    """Obeys frames in order, but for those that have to wait. What a call begins to tell comes behind its response."""

    def __init__(
        self,
        serving: Serving,
        sessions: Sessions,
        session_id: str,
        receive: Receive,
        send: Send,
        at_once: SayAtOnce | None = None,
    ) -> None:
        self._serving = serving
        self._sessions = sessions
        self._session_id = session_id
        self._receive = receive
        self._send = send
        self._seat: Seat
        self._not_seated: ParlanceError | None = None
        self._request_id = ""
        self._telling = Telling(send, lambda error, _: encode_notice(error, session_id), at_once)
        self._beside = Beside()

    async def serve(self, seat: Seat, request_id: str) -> None:
        """Until the client leaves: its session and its turns go on without it. A seat that is nobody's has yet to sign
        in.
        """
        self._seat, self._request_id = seat, request_id
        try:
            if seat.principal is not None or await self._sign_in():
                await self._visit()
        except OSError:
            # The server's way to say that the client went away while something was sent to it.
            log.debug("A client left in the middle of a frame")
        finally:
            await self._beside.done()
            await self._telling.close()

    def follow(self, task: Task) -> None:
        """Tell a turn that begins at another socket of the session."""
        if task.turn.id not in self._telling:
            self._tell([_Tale(task.turn, None, self._notices(task.turn, task.params))])

    async def _visit(self) -> None:
        try:
            session = self._session
        except ParlanceError as error:
            await self._turn_away(error)
            return
        # From here on it is told what others begin, also while it waits for what has begun already.
        with self._sessions.visited(session, self):
            try:
                await self._join(session)
            except ParlanceError as error:
                # Its chat may have been deleted since, or its database may be away.
                await self._turn_away(error)
                return
            while (text := await self._next_frame()) is not None:
                await self._take(decode_frame(text))

    async def _join(self, session: Session) -> None:
        """Tell what runs, and the endings that nobody heard; each once, whatever begins or ends meanwhile."""
        self._catch_up(session)
        await session.adopt(self._serving.engine)
        self._catch_up(session)
        for turn_id in session.unheard:
            await self._tell_ending(session, turn_id)

    def _catch_up(self, session: Session) -> None:
        tasks = [task for task in session.tasks if not task.turn.ended and task.turn.id not in self._telling]
        self._tell([self._from_now_on(task) for task in tasks])

    def _from_now_on(self, task: Task) -> _Tale:
        """From where the turn is now; calls that wait for the client are announced again."""
        turn, notices = task.turn, self._notices(task.turn, task.params)
        calls = (notices.encode(number, called) for number, called in unanswered_calls(turn.log.numbered()))
        return _Tale(turn, newest(turn), notices, tuple(call for call in calls if call is not None))

    async def _tell_ending(self, session: Session, turn_id: TurnId) -> None:
        try:
            turn = await self._serving.engine.find(turn_id, self._who)
        except TurnNotFound:
            session.heard(turn_id)
            return
        if turn_id in session.unheard and turn_id not in self._telling:
            self._tell([_Tale(turn, newest(turn), self._notices(turn, Params()))])

    async def _next_frame(self) -> str | None:
        """The next text frame; None when the client has left, or has sent what no frame of this language can be."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        if text is None:
            error = UnsupportedMediaType("This was a binary frame. Send JSON in text frames.")
            await self._say(encode_error(NULL, encode_refusal(error)).decode())
            await self._close(UNSUPPORTED_DATA, error.code)
        return text

    async def _sign_in(self) -> bool:
        limit = self._serving.options.sign_in
        try:
            async with asyncio.timeout(limit):
                text = await self._next_frame()
        except TimeoutError:
            await self._turn_away(KeyMissing(f"No key came within {limit:g} s."))
            return False
        if text is None:
            return False
        await self._obey_frame(decode_frame(text))
        if self._seat.principal is None:
            error = self._not_seated or KeyMissing("The first frame brought no key.")
            await self._close(close_code(error), error.code)
        return self._seat.principal is not None

    async def _turn_away(self, error: ParlanceError) -> None:
        await self._say(encode_notice(error, self._session_id))
        await self._close(close_code(error), error.code)

    async def _take(self, frame: Frame) -> None:
        if any(isinstance(item, Call) and item.method == "generate" for item in frame.items):
            # Which model is meant may have to be asked of its host.
            await self._beside.run(self._obey_frame(frame))
        else:
            await self._obey_frame(frame)

    async def _obey_frame(self, frame: Frame) -> None:
        if any(isinstance(item, Call) and item.method == "cancel" for item in frame.items):
            # What was said by then comes before the acknowledgement, and nothing behind it but the ending.
            with self._telling.endings_held():
                await self._answer(frame)
        else:
            await self._answer(frame)

    async def _answer(self, frame: Frame) -> None:
        begun = _Begun([], [])
        responses = [response for item in frame.items if (response := await self._respond(item, begun)) is not None]
        for turn in begun.stopped:
            # Another process may run it, and goes on telling until it has heard of this.
            await turn.finished(RESISTANCE)
            await self._telling.caught_up()
        answer = encode_responses(frame, responses)
        if answer is not None:
            await self._say(answer)
        self._tell(begun.tales)

    async def _respond(self, item: Call | Invalid, begun: _Begun) -> bytes | None:
        """None for a notification, which is never answered, whatever becomes of it."""
        if isinstance(item, Invalid):
            log.info("Refused a frame: %d", item.error.code)
            return encode_error(item.id, item.error)
        try:
            done = await self._obey(decode_command(item.method, item.params), begun)
        except ParlanceError as error:
            self._serving.limits.refusals.tell(error, "a frame")
            return None if item.id is None else encode_error(item.id, encode_refusal(error))
        except Exception:
            log.exception("A frame failed by a bug")
            return None if item.id is None else encode_error(item.id, encode_refusal(InternalError()))
        return None if item.id is None else encode_result(item.id, done)

    async def _obey(self, command: Command, begun: _Begun) -> Done:
        match command:
            case Auth(key=key):
                self._authenticate(key)
                return Done("authenticated")
            case Generate():
                return await self._generate(command, begun)
            case Results(task_id=task_id, answers=answers):
                await (await self._find(task_id)).answer(answers)
                return Done("received")
            case Cancel(task_id=task_id):
                await self._cancel(task_id, begun)
                return Done("cancelled")
            case Resume(task_id=task_id):
                begun.tales.append(await self._resumed(command))
                return Done("resumed", task_id)

    def _authenticate(self, key: str) -> None:
        try:
            principal = self._serving.gate.authenticate_key(key)
            if self._seat.principal is not None:
                self._sessions.find(self._session_id, principal)
            self._seat.belong(principal)
        except ParlanceError as error:
            self._not_seated = error
            raise

    async def _generate(self, generate: Generate, begun: _Begun) -> Done:
        session = self._session
        task = await session.begin(self._serving.engine, generate, self._request_id)
        for listener in session.listeners - {self} if not task.repeated else ():
            listener.follow(task)
        begun.tales.append(_Tale(task.turn, None, self._notices(task.turn, task.params)))
        return Done("processing", task.turn.id, list(generate.ignored))

    async def _cancel(self, task_id: str | None, begun: _Begun) -> None:
        if task_id is None and self._session.cancel_start():
            return
        turn = self._session.current if task_id is None else await self._find(task_id)
        if turn is None or turn.ended:
            # What it said may not have been sent yet: behind this answer nobody expects more of it.
            await self._telling.caught_up()
            raise NothingToCancel("Nothing is running that could be cancelled.")
        turn.stop("cancelled")
        begun.stopped.append(turn)

    async def _resumed(self, resume: Resume) -> _Tale:
        turn = await self._find(resume.task_id)
        await reached(turn, resume.after)
        return _Tale(turn, resume.after, self._notices(turn, resume.params))

    @property
    def _who(self) -> Principal:
        if self._seat.principal is None:
            raise KeyMissing('This server needs a key. Call "auth" with {"key": …} first.')
        return self._seat.principal

    @property
    def _session(self) -> Session:
        return self._sessions.find(self._session_id, self._who)

    async def _find(self, task_id: str) -> TurnView:
        return await self._serving.engine.find(task_id, self._who)

    def _notices(self, turn: TurnView, params: Params) -> TurnNotices:
        return TurnNotices(self._session_id, turn.id, turn.log.epoch, params)

    def _tell(self, tales: Iterable[_Tale]) -> None:
        for tale in tales:
            heard = partial(self._sessions.heard, self._session_id, self._who)
            self._telling.begin(tale.turn.id, tale.turn, tale.after, tale.notices, tale.first, heard)

    async def _say(self, frame: str) -> None:
        await self._send({"type": "websocket.send", "text": frame})

    async def _close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
