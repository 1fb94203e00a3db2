"""Stored turns: how one is accepted, kept while it is told, ended, and found again by any process."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from parlance.core.events import Event, Status, TurnEnded, TurnStarted
from parlance.core.fault import Fault
from parlance.core.ids import ChatId, Epoch, OwnerId, TurnId
from parlance.core.messages import Message
from parlance.core.principal import Principal
from parlance.core.stores import Page, Reach
from parlance.core.stores.chats import Chat, Names, NewChat
from parlance.core.stores.request_keys import RequestKey
from parlance.core.tool import Answer
from parlance.core.usage import Finish, Usage

SendPolicy = Literal["queue", "reject", "interrupt"]
"""What happens to a message for a chat that is being answered: it waits, it is refused, or it ends what runs."""

State = Literal["queued", "running", "waiting"] | Status

IN_FLIGHT = 90.0
"""Seconds, from the first answer of the database on, in which a turn may still appear whose commit broke off: one that
was on its way is done by then, and a transaction whose client is gone was ended.
"""


class NewTurn(Struct, frozen=True, kw_only=True):
    """A turn that is to be accepted. `started` is its first event, and holds its input.

    `chat` is there already, or `new_chat` is made with the turn. `queue`: how many may wait behind the running one.
    `asked` is for whoever takes the turn up again, if somebody must; nobody else looks into it.
    """

    id: TurnId
    epoch: Epoch
    owner: OwnerId
    chat: ChatId
    reach: Reach
    principal: Principal
    door: str
    request_id: str
    model: str
    provider: str
    started: TurnStarted
    policy: SendPolicy = "queue"
    queue: int = 16
    new_chat: NewChat | None = None
    key: RequestKey | None = None
    enabled_functions: Names = None
    enabled_mcp_tools: Names = None
    asked: bytes = b""


class TurnRecord(Struct, frozen=True, kw_only=True):
    """A stored turn as its row says. `position` counts a chat's turns from 1. `head`: the number of its newest event
    that is kept. `ended_at`, `status` and what stands beside it are None until its end.

    `former_epochs`, in order: up to which number its events bore which epoch before this one. There is a new one where
    somebody else went on for an owner who died, or ended the turn: what that one had told beyond what was kept is in
    none of them.
    """

    id: TurnId
    chat: ChatId
    subtenant: str
    position: int
    owner: OwnerId
    epoch: Epoch
    head: int
    principal: Principal
    door: str
    request_id: str
    model: str
    provider: str
    state: State
    accepted_at: datetime
    ended_at: datetime | None = None
    finish: Finish | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    former_epochs: tuple[tuple[int, Epoch], ...] = ()


class Accepted(Struct, frozen=True):
    """`repeated`: this request came before, and `turn` is what it began then. `ahead`: the chat's earlier turns that
    have not ended, oldest first. `chat` as it was at that moment.
    """

    turn: TurnRecord
    chat: Chat
    ahead: tuple[TurnRecord, ...] = ()
    repeated: bool = False


class Piece(Struct, frozen=True):
    """Events of a turn in a row, of which the first bears the number `first`."""

    turn: TurnId
    epoch: Epoch
    first: int
    events: Sequence[Event]


class Ending(Struct, frozen=True):
    """The end of a turn: its last events, `TurnEnded` among them, and the messages it made, in order, without its
    input.
    """

    piece: Piece
    ended: TurnEnded
    messages: tuple[Message, ...]


class KeptEvents(Struct, frozen=True):
    """What is left of a turn's log, in order. Holes are what was trimmed; `lost` is the last number that is gone."""

    turn: TurnRecord
    events: tuple[tuple[int, Event], ...]
    lost: int = 0

    @property
    def epochs(self) -> tuple[tuple[int, Epoch], ...]:
        """In order: up to which number the events bear which epoch."""
        return *self.turn.former_epochs, (self.turn.head, self.turn.epoch)

    def epoch_of(self, number: int) -> Epoch | None:
        """Which epoch the event of this number bears; 0 stands before the first. None: there is no such event."""
        return next((epoch for last, epoch in self.epochs if number <= last), None)


class Word(Struct, frozen=True, kw_only=True):
    """What a process has to say to the one that runs a turn: stop for that reason, or these answers to its calls."""

    turn: TurnId
    stop: Literal["cancelled", "superseded", "interrupted"] | None = None
    answers: tuple[Answer, ...] = ()


class Turns(Protocol):
    """What returns has been committed. `StorageUnavailable`, within a second, where that can't be."""

    async def accept(self, new: NewTurn) -> Accepted:
        """In one transaction: the chat if it is new, the turn, its first event, the user's message, the request's key.

        A turn that only waits for its caller hinders nobody: it is not counted, neither for `reject` nor for `queue`.
        `ChatNotFound`, `SubtenantNotFound`, `ChatBusy`, `ChatQueueFull`, `IdempotencyKeyReused`: nothing was kept.
        `StorageUnavailable` that says `maybe_kept`: the turn may be there, or appear soon, and whoever asked has to
        look for it; it is theirs to run.
        """
        ...

    async def begun(self, key: RequestKey) -> TurnRecord | None:
        """The turn that this request began, if it did. `IdempotencyKeyReused` where the key began another's."""
        ...

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        """All in one transaction. Pieces of a turn come in order, without holes. A turn that has ended, is gone, or is
        another owner's by now, is passed over: those that were are returned.
        """
        ...

    async def end(self, ending: Ending) -> TurnRecord:
        """The turn as it ended: as told here, or as somebody else had ended it before."""
        ...

    async def state(self, turn: TurnId, epoch: Epoch, state: Literal["running", "waiting"]) -> None:
        """Of a turn that has ended, or bears another epoch by now, nothing changes: it is another owner's."""
        ...

    async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
        """`TurnNotFound`."""
        ...

    async def asked(self, turn: TurnId) -> bytes:
        """What it was accepted with. `TurnNotFound`."""
        ...

    async def events(self, turn: TurnId, after: int = 0) -> KeptEvents:
        """Those behind a number. `TurnNotFound`."""
        ...

    async def list(self, chat: ChatId, page: Page, reach: Reach, *, open_only: bool = False) -> tuple[TurnRecord, ...]:
        """`ChatNotFound`."""
        ...

    async def newest(self, chat: ChatId, reach: Reach) -> TurnRecord | None:
        """The chat's last turn. `ChatNotFound`."""
        ...

    async def bearing(self, chat: ChatId, epoch: Epoch, reach: Reach) -> TurnRecord | None:
        """The turn of the chat that bears this epoch, or bore it under an owner before. `ChatNotFound`."""
        ...

    async def open_in(self, subtenant: str) -> tuple[TurnRecord, ...]:
        """All turns of a subtenant that have not ended."""
        ...

    async def ended_before(self, turn: TurnRecord) -> bool:
        """Whether all turns of its chat that were accepted earlier have ended."""
        ...

    async def history(self, turn: TurnRecord) -> tuple[Message, ...]:
        """What a model may be shown of the chat's earlier turns: of failed ones the user's message alone."""
        ...


class Leases(Protocol):
    """Who is alive, by the database's own clock."""

    async def hold(self, owner: OwnerId, seconds: float) -> None:
        """From now on for so long. Again and again, once for a whole process."""
        ...

    async def release(self, owner: OwnerId) -> None: ...

    async def adopt(self, owner: OwnerId) -> tuple[TurnRecord, ...]:
        """Take over the turns of the dead that wait for their callers: each is this owner's from now on, and bears an
        epoch of its own.
        """
        ...

    async def sweep(self) -> tuple[TurnId, ...]:
        """End the turns of the dead as `incomplete`, with what was kept of their answers, each once. Those that wait
        for their callers are left to whoever adopts them.
        """
        ...

    async def trim(self, before: datetime) -> int:
        """Drop the openings and growth of turns that ended earlier; how many turns that were."""
        ...

    async def forget_keys(self, before: datetime) -> int:
        """Idempotency keys from earlier; how many."""
        ...
