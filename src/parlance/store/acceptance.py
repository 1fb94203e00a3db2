"""What decides whether a turn is accepted, and how it stands then. Pure: databases bring what is there already."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from parlance.core.errors import ChatBusy, ChatQueueFull, IdempotencyKeyReused, TurnNotFound
from parlance.core.ids import Epoch
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import NewTurn, State, TurnRecord
from parlance.store.checks import check_fields, check_json, check_uuid, storable

_OPEN: Final = frozenset({"queued", "running", "waiting"})


def is_open(state: State) -> bool:
    return state in _OPEN


def belongs(turn: TurnRecord, epoch: Epoch) -> bool:
    """Whether it is still for the owner whose epoch this is to go on with: nobody has ended it, or taken it over."""
    return turn.epoch == epoch and is_open(turn.state)


def check_turn(new: NewTurn) -> None:
    """`InvalidRequest` for a new chat, or a choice of tools, that no database can hold."""
    check_json(new.enabled_functions, "$.enabled_functions")
    check_json(new.enabled_mcp_tools, "$.enabled_mcp_tools")
    if new.new_chat is not None:
        check_fields(new.new_chat)
        check_uuid(new.new_chat.id, "$.id")


def check_repeated(key: RequestKey, fingerprint: bytes) -> None:
    """`IdempotencyKeyReused` where the key began another request, of that fingerprint."""
    if key.fingerprint != fingerprint:
        raise IdempotencyKeyReused(
            f"The idempotency key {key.key[:80]!r} was used for another request. Use a new one for each."
        )


def check_policy(new: NewTurn, open_turns: Iterable[TurnRecord]) -> None:
    """`ChatBusy` and `ChatQueueFull` by the chat's turns that have not ended: those that only wait for their caller
    hinder nobody.
    """
    ahead = sum(turn.state != "waiting" for turn in open_turns)
    if ahead and new.policy == "reject":
        raise ChatBusy(f"The chat {new.chat} is answering a message. Wait for its end, or cancel it.")
    if ahead > new.queue:
        raise ChatQueueFull(
            f"{ahead - 1} messages wait in the chat {new.chat}, which is its limit. Send it when one is answered.",
            retry_after=1.0,
        )


def begun_turn(new: NewTurn, subtenant: str, position: int, *, waits: bool) -> TurnRecord:
    """The turn as it is accepted: its first event is kept with it."""
    return TurnRecord(
        id=new.id,
        chat=new.chat,
        subtenant=subtenant,
        position=position,
        owner=new.owner,
        epoch=new.epoch,
        head=1,
        principal=new.principal,
        door=storable(new.door),
        request_id=storable(new.request_id),
        model=storable(new.model),
        provider=storable(new.provider),
        state="queued" if waits else "running",
        accepted_at=datetime.now(UTC),
    )


def turn_not_found(turn: str) -> TurnNotFound:
    return TurnNotFound(f"There is no turn {turn[:80]!r}.")
