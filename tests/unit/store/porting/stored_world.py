"""Something of everything that can be stored, at random, written as the stores write it; and exports of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from random import Random
from typing import Final

from msgspec import Raw
from sqlalchemy import Table, delete, insert

from parlance.core.events import Event, PartClosed, StepEnded, TextGrew, TurnEnded, TurnStarted
from parlance.core.fault import Fault
from parlance.core.ids import ChatId, Epoch, KeyId, MessageId, OwnerId, TurnId, new_epoch, uuid7
from parlance.core.messages import Message, Origin, Role, user_message
from parlance.core.parts import Kept, Part, Text
from parlance.core.principal import Principal
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.turns import Piece, State, TurnRecord
from parlance.core.usage import Usage
from parlance.store.database import Database
from parlance.store.message_rows import encode_message
from parlance.store.porting.exporting import Wanted, export_lines
from parlance.store.porting.importing import import_lines
from parlance.store.porting.lines import encode_line
from parlance.store.porting.reading import LineReader
from parlance.store.porting.sessions import long_reading, long_writing
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.memories import memories
from parlance.store.tables.messages import messages
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.pieces import pieces
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns
from parlance.store.tables.whole import TABLES
from parlance.store.turn_rows import encode_numbered, encode_piece, encode_turn
from tests.contract.stores.test_messages import PARTS
from tests.contract.stores.world import NOW

STATES: Final[tuple[State, ...]] = ("completed", "failed", "cancelled", "incomplete", "queued", "running", "waiting")
TEXTS: Final = ("", "plain", "zwei\nZeilen\r\n", "🔑 \u2028 é", '{"a": 1}', "null", "x" * 300, "\u0001 'quoted' \\")
VALUES: Final[tuple[object, ...]] = (
    None,
    1,
    1.0,
    -0.0,
    1e16,
    2**70,
    True,
    "",
    "12",
    [],
    {"z": [None, {"a": 1}], "a": "\u2028"},
    [[1.5]],
)
PRETTY: Final = Kept("gemini", "executableCode", Raw(b'{\n  "code": "a\\nb",\r\n  "x": 1.0\n}'))
ROLES: Final[tuple[Role, ...]] = ("user", "assistant", "tool", "system")

Values = dict[str, object]


class World:
    """Writes into one database, as a seed says."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._random = Random(seed)
        self._some = self._random.choice

    async def fill(self) -> list[str]:
        """The ids of its subtenants."""
        shared = [await self._assistant(None) for _ in range(self._random.randint(0, 2))]
        ids = ["default", str(uuid7()), "Anna/ü 🔑"][: self._random.randint(1, 3)]
        for id in ids:
            await self._subtenant(id, shared)
        return ids

    async def _subtenant(self, id: str, shared: Sequence[str]) -> None:
        values = {"id": id, "name": self._text(), "metadata": {"v": self._some(VALUES)}, **self._times()}
        await self._put(subtenants, [values])
        own = [await self._assistant(id) for _ in range(self._random.randint(0, 2))]
        keys = self._random.sample(("a", "A", "ä/ b", "🔑", "x" * 255), self._random.randint(0, 5))
        rows = [
            {"id": str(uuid7()), "subtenant_id": id, "key": key, "value": self._some(VALUES), **self._times()}
            for key in keys
        ]
        await self._put(memories, rows)
        for _ in range(self._random.randint(0, 4)):
            await self.chat(id, [None, *shared, *own], [self._some(STATES) for _ in range(self._random.randint(0, 5))])
        await self._put(model_calls, [self._call(id) for _ in range(self._random.randint(0, 3))])

    async def _assistant(self, subtenant: str | None) -> str:
        values: Values = {
            "id": str(uuid7()),
            "subtenant_id": subtenant,
            "name": self._some(TEXTS),
            "description": self._text(),
            "system_prompt": self._text(),
            **self._selections(),
            "function_parameters": {"now": {"z": 1.0, "a": None}},
            "mcp_tool_parameters": {},
            "is_active": self._some((True, False)),
            **self._times(),
        }
        await self._put(assistants, [values])
        return str(values["id"])

    async def chat(self, subtenant: str, made_with: Sequence[str | None], states: Sequence[State]) -> ChatId:
        """With a turn in each of these states, whose messages lie among each other."""
        id = ChatId(str(uuid7()))
        values: Values = {"id": id, "subtenant_id": subtenant, "assistant_id": self._some(made_with)}
        values |= {
            "title": self._text(),
            "system_message": self._text(),
            **self._selections(),
            **self._times(),
        }
        await self._put(chats, [values])
        said = [(self._message(id, None), 0) for _ in range(self._random.randint(0, 2))]
        for position, state in enumerate(states, 1):
            turn = await self._turn(id, subtenant, position, state)
            said += [(self._message(id, turn), position) for _ in range(self._random.randint(0, 3))]
        self._random.shuffle(said)
        await self._put(messages, [encode_message(*one) for one in said])
        return id

    async def _turn(self, chat: ChatId, subtenant: str, position: int, state: State) -> TurnId:
        id = TurnId(str(uuid7()))
        log: list[Event] = [TurnStarted(id, "fast", user_message(self._some(TEXTS))), TextGrew(1, "a\nb")]
        log += [PartClosed(1, PRETTY), StepEnded(1, "stop", MessageId(str(uuid7()))), TurnEnded("completed", "stop")]
        ended = self._moment() if state in ("completed", "failed", "cancelled", "incomplete") else None
        record = TurnRecord(
            id=id,
            chat=chat,
            subtenant=subtenant,
            position=position,
            owner=OwnerId(str(uuid7())),
            epoch=new_epoch(),
            head=len(log),
            principal=Principal("subtenant", KeyId("k"), subtenant, self._some((None, ("fast",)))),
            door="rest",
            request_id=self._some(TEXTS),
            model="fast",
            provider="demo",
            state=state,
            accepted_at=self._moment(),
            ended_at=ended,
            finish=self._some((None, "stop", "tool_calls")),
            usage=self._some((None, Usage(1, 2), Usage(estimated=True))),
            fault=self._some((None, Fault("x", "went\nwrong", True, 0.25))),
        )
        trimmed = ended is not None and self._some((True, False))
        row = encode_turn(record, self._some((b"", b'{"request": {\n"extra":{"a":{"b":1.0}}}}')))
        await self._put(turns, [row | {"trimmed_at": self._moment() if trimmed else None}])
        await self._put(pieces, _trimmed(id, record.epoch, log) if trimmed else _whole(id, record.epoch, log))
        return id

    def _message(self, chat: ChatId, turn: TurnId | None) -> StoredMessage:
        parts: tuple[Part, ...] = tuple(self._random.sample((*PARTS, PRETTY, Text("x" * 3000)), 3))
        origin = self._some((None, Origin("demo", "fast-1", "openai_chat")))
        usage = self._some((None, Usage(3, 4, cached=0)))
        message = Message(MessageId(str(uuid7())), self._some(ROLES), parts, origin, self._some((None, "stop")), usage)
        return StoredMessage(chat, turn, message, None, self._moment(), **self._selections())  # type: ignore[arg-type]  # names in a dictionary

    def _call(self, subtenant: str) -> Values:
        figures = {"input": 1, "output": 2, "cached": None, "cache_written": None, "reasoning": 0, "estimated": False}
        return {
            "id": str(uuid7()),
            "subtenant_id": subtenant,
            "chat_id": self._some((None, str(uuid7()))),
            "turn_id": None,
            "request_id": self._text(),
            "door": "rest",
            "provider": "demo",
            "model": "fast",
            "number": 1,
            "outcome": self._some(("answered", "failed")),
            "error": self._some((None, "x")),
            "upstream_id": None,
            **self._some((figures, dict.fromkeys(figures))),
            "cost": self._some((None, 0.1 + 0.2)),
            "first": self._some((None, 0.25)),
            "duration": 1.0,
            "created_at": self._moment(),
        }

    def _text(self) -> str | None:
        return self._some((None, *TEXTS))

    def _selections(self) -> Values:
        return {"enabled_functions": self._some((None, (), ("a", "b"))), "enabled_mcp_tools": self._some((None, ()))}

    def _times(self) -> Values:
        return {"created_at": self._moment(), "updated_at": self._moment()}

    def _moment(self) -> datetime:
        return NOW + timedelta(microseconds=self._random.choice((0, 1, 1_000_000, self._random.randrange(10**14))))

    async def _put(self, table: Table, rows: Sequence[Values]) -> None:
        if rows:
            async with long_writing(self._database) as connection:
                await connection.execute(insert(table), rows)


def _whole(turn: TurnId, epoch: Epoch, log: Sequence[Event]) -> list[Values]:
    return [encode_piece(Piece(turn, epoch, 1, log[:1])), encode_piece(Piece(turn, epoch, 2, log[1:]))]


def _trimmed(turn: TurnId, epoch: Epoch, log: Sequence[Event]) -> list[Values]:
    left: list[tuple[int, Event]] = [
        (number, event) for number, event in enumerate(log, 1) if not isinstance(event, TextGrew)
    ]
    events = encode_numbered(left)
    return [{"turn_id": turn, "first": 1, "last": len(log), "epoch": epoch, "lost": 2, "events": events}]


async def exported(database: Database, subtenant: str | None = None, *, calls: bool = True) -> bytes:
    wanted = Wanted(subtenant=subtenant, model_calls=calls, made_by="parlance test")
    async with long_reading(database) as connection:
        return b"".join([encode_line(line) async for line in export_lines(connection, wanted)])


async def imported(database: Database, file: bytes, *, replace: bool = False) -> dict[str, int]:
    reader = LineReader(BytesIO(file))
    async with long_writing(database) as connection:
        return await import_lines(connection, reader, replace=replace)


async def empty(database: Database) -> None:
    async with long_writing(database) as connection:
        for table in reversed(TABLES):
            await connection.execute(delete(table))
