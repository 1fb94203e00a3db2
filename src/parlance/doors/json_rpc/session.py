"""One session: its history, its turns in order, and the sockets that are told them."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from parlance.core.errors import TooManyAtOnce, TurnRunning
from parlance.core.ids import ChatId, TurnId
from parlance.core.principal import Principal
from parlance.core.stores.turns import SendPolicy
from parlance.dialects.chat_request import Params, refused
from parlance.dialects.json_rpc.commands import Generate, Opening
from parlance.engine.ask import Ask, ChatAsk
from parlance.engine.conversation import Conversation
from parlance.engine.engine import Engine
from parlance.engine.idempotency import Idempotency
from parlance.engine.turn_state import Beginning
from parlance.engine.view import TurnView

DOOR = "json_rpc"
MAX_QUEUE = 16


class Task(Struct, frozen=True):
    """A turn, and what of it its client wants to see. `repeated`: the same request began it before."""

    turn: TurnView
    params: Params
    repeated: bool = False


class Listener(Protocol):
    """A socket of the session."""

    def follow(self, task: Task) -> None: ...


class _Start:
    """A turn that is being started."""

    cancelled = False


class Session:
    """Its turns run one after the other. One that is a stored `chat` has that one's history.

    `listeners` are its open sockets, `tasks` its turns that have not ended.
    """

    def __init__(
        self, session_id: str, principal: Principal, opening: Opening, history_tokens: int, chat: ChatId | None = None
    ) -> None:
        self.id = session_id
        self.chat = chat
        self.principal = principal
        self.listeners: set[Listener] = set()
        self.tasks: list[Task] = []
        self._opening = opening
        self._conversation = Conversation(history_tokens)
        self._admission = asyncio.Lock()
        self._starting: list[_Start] = []
        self._unheard: dict[TurnId, None] = {}

    @property
    def idle(self) -> bool:
        return not (self.listeners or self.tasks or self._starting)

    @property
    def current(self) -> TurnView | None:
        """The turn that runs or waits now, or is about to end."""
        return next((task.turn for task in self.tasks if not task.turn.ended), None)

    @property
    def unheard(self) -> list[TurnId]:
        """The turns that have ended, and whose ending was sent to no socket; the newest last."""
        running = {task.turn.id for task in self.tasks if not task.turn.ended}
        return [turn_id for turn_id in self._unheard if turn_id not in running]

    def heard(self, turn_id: TurnId) -> None:
        """The ending of this turn was sent to a socket, or is there no more."""
        self._unheard.pop(turn_id, None)

    async def begin(self, engine: Engine, generate: Generate, request_id: str) -> Task:
        """Answer what is asked.

        A turn that only waits for the client ends; behind one that runs, a session made with `queue` lets it wait, any
        other raises `TurnRunning`. Raises also `TooManyAtOnce`, and what `Engine.start` raises; then nothing has
        changed.
        """
        start = _Start()
        self._starting.append(start)
        try:
            task = await self._begin(engine, generate, request_id)
        finally:
            self._starting.remove(start)
        if start.cancelled:
            task.turn.stop("cancelled")
        return task

    def cancel_start(self) -> bool:
        """Whether there is a turn that is being started, with none running before it: it ends as soon as it begins."""
        if self._busy():
            return False
        start = next((start for start in self._starting if not start.cancelled), None)
        if start is not None:
            start.cancelled = True
        return start is not None

    async def _begin(self, engine: Engine, generate: Generate, request_id: str) -> Task:
        async with self._admission:
            tools = self._opening.tools if generate.tools is None else generate.tools
            request = msgspec.structs.replace(generate.request, tools=tools)
            # A session in memory is a conversation by itself: the same words in another are another request.
            asked = generate.asked if self.chat is not None else self.id.encode() + generate.asked
            repeatable = Idempotency.of(generate.idempotency_key, asked)
            ask = Ask(self.principal, DOOR, request_id, request, generate.input, repeatable)
            known = {task.turn.id for task in self.tasks}
            if self.chat is None and (begun := engine.begun_before(ask)) is not None:
                return Task(begun, generate.params, repeated=True)
            if self.chat is None:
                self._check_free()
                before = [task.turn for task in self.tasks]
                turn = await engine.start(ask, moment := _Moment(self._conversation, generate, before))
                moment.turn = turn
            else:
                turn = await engine.start(self._in_chat(ask, generate, self.chat))
            if turn.id in known or turn.ended:
                return Task(turn, generate.params, repeated=True)
            current = self.current
            if current is not None and current.waiting and current.id != turn.id:
                current.stop("superseded")
            return self._add(Task(turn, generate.params))

    async def adopt(self, engine: Engine) -> None:
        """What other devices have begun in its chat, and what waits there since before this session was."""
        if self.chat is not None:
            known = {task.turn.id for task in self.tasks}
            for turn in await engine.open_turns(self.chat, self.principal):
                if turn.id not in known and not turn.ended:
                    self._add(Task(turn, Params()))

    def _add(self, task: Task) -> Task:
        """One that a socket found in the chat while another began it is here once."""
        if all(known.turn.id != task.turn.id for known in self.tasks):
            self.tasks.append(task)
            self._unheard[task.turn.id] = None
            task.turn.then(self._ending(task))
        return task

    def _in_chat(self, ask: Ask, generate: Generate, chat: ChatId) -> Ask:
        if generate.replaces or generate.input is None:
            raise refused(
                "$.params.history", "This session is a stored chat with its own history. Send a message alone."
            )
        policy: SendPolicy = "queue" if self._opening.queues else "reject"
        request = msgspec.structs.replace(ask.request, messages=(generate.input,))
        return msgspec.structs.replace(ask, request=request, chat=ChatAsk(id=chat, policy=policy))

    def _check_free(self) -> None:
        busy = self._busy()
        if busy and not self._opening.queues:
            raise TurnRunning(
                f"The task {busy[0].turn.id} is running. Wait for its end or cancel it, or make the session with "
                '{"queue": true}.'
            )
        if len(busy) > MAX_QUEUE:
            raise TooManyAtOnce(f"{MAX_QUEUE} messages wait in this session, which is the limit.", limit="queue")

    def _busy(self) -> list[Task]:
        """Those that run, or will."""
        return [task for task in self.tasks if not task.turn.stopped and not task.turn.waiting]

    def _ending(self, task: Task) -> Callable[[], None]:
        def ended() -> None:
            self.tasks.remove(task)
            # Makes the ended turn history, so that its events need not be held.
            self._conversation.history()

        return ended


class _Moment:
    """When a turn of the session may begin, and on which history."""

    def __init__(self, conversation: Conversation, generate: Generate, before: list[TurnView]) -> None:
        self.turn: TurnView | None = None
        self._conversation = conversation
        self._generate = generate
        self._before = before

    async def __call__(self) -> Beginning:
        # Of those before it one may be cancelled while it still waits, so the last one's end is not enough.
        for turn in self._before:
            await turn.finished()
        self._before = []
        given = self._generate.request.messages
        if self._generate.replaces:
            self._conversation.replace(given[:-1] if self._generate.input is not None else given)
            messages = given
        else:
            messages = (*self._conversation.history(), *given)
        if self.turn is not None:
            self._conversation.accept(self.turn)
        return Beginning(messages)
