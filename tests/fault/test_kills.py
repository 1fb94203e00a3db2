"""The server is killed amid many sends, again and again: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from sqlalchemy import select

from parlance.core.messages import Message
from parlance.store.addresses import Address, SqliteAddress, read_address
from parlance.store.database import open_database
from parlance.store.message_rows import COLUMNS, decode_message
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns
from tests.acceptance.server_process import SIGNS_OF_BUGS, ServerProcess
from tests.fault.plain_http import BrokenOff, PlainAnswer, got, posted
from tests.fault.several import settings_of

SEED = 20_261_121
SENDERS = 50
CHATS = 10
WORDS = 20
ENDED_WITHIN = 30.0
AT_ONCE = 25

Line = dict[str, Any]


class Sent(Struct):
    """One message: to which chat, and what its client was told before the server was killed, and then to the end.

    `answer` is what is to be told of it; `turn` is None until it was acknowledged.
    """

    chat: str
    key: str
    text: str
    answer: str
    turn: str | None = None
    shown: Sequence[Line] = ()
    whole: Sequence[Line] = ()

    async def post(self, port: int) -> list[Line]:
        """The lines that came, to the end or to where the connection broke off."""
        body = {"message": self.text, "chat_id": self.chat}
        try:
            async with posted(port, "/chat", body, {"idempotency-key": self.key}) as answer:
                lines = await lines_of(answer)
        except BrokenOff:
            return []
        if lines:
            turn = lines[0]["meta"]["turn_id"]
            assert self.turn in (None, turn), "the same request began another turn"
            self.turn = turn
        return lines

    async def first(self, port: int) -> None:
        self.shown = await self.post(port)

    async def again(self, port: int) -> None:
        """To its end, by the turn that it began, if it had begun one; and from where its client was cut off."""
        async with asyncio.timeout(ENDED_WITHIN):
            self.whole = await self.post(port)
        assert sum("done" in line for line in self.whole) == 1, self.whole
        assert "done" in self.whole[-1], self.whole
        if self.shown:
            await self._resume(port, self.shown[-1]["cursor"])

    async def _resume(self, port: int, after: str) -> None:
        async with got(port, f"/chat/{self.turn}?after={after}") as answer:
            if answer.status == 410:
                # It was shown, and not kept: the client is told so, and what stands for it.
                problem = json.loads(await answer.body())
                assert problem["code"] == "cursor_expired"
                assert "".join(part["text"] for part in problem["snapshot"]["parts"]) == text_of(self.whole)
                return
            rest = await lines_of(answer)
        seen = int(after.rpartition("-")[2])
        behind = [line for line in self.whole if number_of(line) > seen] or [self.whole[-1]]
        assert rest == behind
        assert text_of([*self.shown, *rest]) == text_of(self.whole)


async def lines_of(answer: PlainAnswer) -> list[Line]:
    """To the end, or to where the connection broke off."""
    lines: list[Line] = []
    with suppress(BrokenOff):
        async for line in answer.lines():
            if line:
                lines.append(json.loads(line))  # noqa: PERF401 - what came before it broke off counts
    return lines


def number_of(line: Line) -> int:
    return int(line["cursor"].rpartition("-")[2])


def text_of(lines: Sequence[Line]) -> str:
    return "".join(line.get("delta", "") for line in lines)


class Killed:
    """A server on one database that is started and killed over and over."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._settings = {
            "LOG_LEVEL": "WARNING",
            "PARLANCE_CHATS__QUEUE_SIZE": str(SENDERS),
            **settings_of(folder, url),
        }
        self._starts = 0

    async def start(self) -> ServerProcess:
        self._starts += 1
        server = ServerProcess(self._folder / str(self._starts), self._settings)
        return await asyncio.to_thread(server.__enter__)


async def new_chat(port: int) -> tuple[str, str]:
    """Its id, and an answer as all of them will be."""
    async with posted(port, "/chat", {"message": f"/words {WORDS}", "chat_id": "new"}) as answer:
        lines = [json.loads(line) async for line in answer.lines()]
    return lines[0]["meta"]["chat_id"], text_of(lines)


async def send_until_killed(server: ServerProcess, number: int, wait: float) -> list[Sent]:
    chats = await asyncio.gather(*(new_chat(server.port) for _ in range(CHATS)))
    sent = [
        Sent(chat, f"key {number} {sender}", f"/slow 0.01 /words {WORDS} say {number} {sender}", answer)
        for sender, (chat, answer) in enumerate(chats * (SENDERS // CHATS))
    ]
    posts = [asyncio.create_task(one.first(server.port)) for one in sent]
    await asyncio.wait(posts, timeout=wait)
    await asyncio.to_thread(server.kill)
    await asyncio.gather(*posts)
    assert not [sign for sign in SIGNS_OF_BUGS if sign in server.log], server.log
    return sent


async def send_again(server: ServerProcess, sent: list[Sent]) -> None:
    for begin in range(0, len(sent), AT_ONCE):
        await asyncio.gather(*(one.again(server.port) for one in sent[begin : begin + AT_ONCE]))


async def check_kept(address: Address, sent: list[Sent]) -> Counter[str]:
    """How many turns ended how."""
    database = open_database(address)
    try:
        async with database.reading() as connection:
            states = {row.id: row.state for row in await connection.execute(select(turns.c.id, turns.c.state))}
            rows = (await connection.execute(select(messages.c.chat_id, *COLUMNS))).all()
    finally:
        await database.close()
    said = [decode_message(row[0], row[1:], states) for row in rows]
    asked = Counter(one.message.text for one in said if one.message.role == "user")
    answered = Counter(one.turn_id for one in said if one.message.role == "assistant")
    answers: dict[str | None, Message] = {one.turn_id: one.message for one in said if one.message.role == "assistant"}
    assert [asked[one.text] for one in sent] == [1] * len(sent)
    assert set(answered.values()) == {1}
    for one in sent:
        told, state = text_of(one.whole), states[one.turn or ""]
        assert state == one.whole[-1].get("status", "completed")
        assert told == one.answer if state == "completed" else one.answer.startswith(told)
        # What was shown of an answer is kept with it, and nothing else.
        assert told == (answers[one.turn].text if one.turn in answers else "")
    assert set(states.values()) <= {"completed", "incomplete"}
    return Counter(states[one.turn or ""] for one in sent)


async def check_kills(folder: Path, url: str, waits: Iterable[float]) -> str:
    """A kill after each so many seconds of sending. What was seen, in words."""
    killed, sent = Killed(folder, url), list[Sent]()
    for number, wait in enumerate(waits):
        sent += await send_until_killed(await killed.start(), number, wait)
    server = await killed.start()
    try:
        await send_again(server, sent)
    finally:
        await asyncio.to_thread(server.__exit__)
    ended = await check_kept(read_address(url) if url else SqliteAddress(folder / "data" / "parlance.db"), sent)
    assert ended["incomplete"] > 0
    shown = sum(bool(one.shown) for one in sent)
    return f"{len(sent)} messages sent, {shown} of them acknowledged before a kill; their turns: {dict(ended)}"


@pytest.mark.requirement("durability:killed_servers")
async def test_killing_the_server_loses_nothing_acknowledged_and_doubles_nothing(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    chance = random.Random(SEED)
    waits = [chance.uniform(0.0, 0.8) for _ in range(300 if long_run else 5)]
    print(await check_kills(tmp_path, database_url, waits))
