"""Messages that are sent while what keeps them is brought down: what their clients were told, and what must be kept."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import select

from parlance.core.messages import Message
from parlance.store.addresses import Address
from parlance.store.message_rows import COLUMNS, decode_message
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns
from tests.fault.plain_http import BrokenOff, PlainAnswer, got, posted
from tests.probes.databases import open_unhurried
from tests.probes.polling import pause

SENDERS = 50
CHATS = 10
WORDS = 20
ENDED_WITHIN = 30.0

Line = dict[str, Any]
Durability = Literal["grouped", "strict"]


class Sent(Struct):
    """One message: to which chat, and what its client was told at first, as far as that went, and then to the end.

    `answer` is what is to be told of it; `turn` is None until it was acknowledged.
    """

    chat: str
    key: str
    text: str
    answer: str
    turn: str | None = None
    shown: list[Line] = []
    whole: list[Line] = []

    async def post(self, port: int, lines: list[Line]) -> None:
        """Adds the lines as they come, to the end or to where the connection broke off."""
        body = {"message": self.text, "chat_id": self.chat}
        with suppress(BrokenOff):
            async with posted(port, "/chat", body, {"idempotency-key": self.key}) as answer:
                if not await is_refused(answer):
                    await read_lines(answer, lines)
        if lines:
            turn = lines[0]["meta"]["turn_id"]
            assert self.turn in (None, turn), "the same request began another turn"
            self.turn = turn

    async def first(self, port: int) -> None:
        await self.post(port, self.shown)

    async def insist(self, port: int) -> int:
        """Until it is acknowledged, and then to its end. How often it was refused."""
        return await self._to_the_end(port, self.shown)

    async def again(self, port: int, durability: Durability) -> None:
        """To its end, by the turn that it began, if it had begun one; and from where its client was cut off."""
        await self._to_the_end(port, self.whole)
        assert sum("done" in line for line in self.whole) == 1, self.whole
        if durability == "strict":
            assert said_in(self.whole)[: len(self.shown)] == said_in(self.shown)
        if self.shown:
            async with asyncio.timeout(ENDED_WITHIN):
                while not await self._resume(port, self.shown[-1]["cursor"], durability):
                    await pause()

    async def _to_the_end(self, port: int, lines: list[Line]) -> int:
        refused = 0
        async with asyncio.timeout(ENDED_WITHIN):
            while True:
                await self.post(port, lines)
                if lines:
                    break
                refused += 1
                await pause()
        assert "done" in lines[-1], lines
        return refused

    async def _resume(self, port: int, after: str, durability: Durability) -> bool:
        """False: it was refused for now."""
        async with got(port, f"/chat/{self.turn}?after={after}") as answer:
            if answer.status == 410:
                # It was shown, and not kept: the client is told so, and what stands for it.
                assert durability == "grouped"
                problem = json.loads(await answer.body())
                assert problem["code"] == "cursor_expired"
                assert "".join(part["text"] for part in problem["snapshot"]["parts"]) == text_of(self.whole)
                return True
            if await is_refused(answer):
                return False
            rest = list[Line]()
            await read_lines(answer, rest)
        seen = int(after.rpartition("-")[2])
        behind = [line for line in self.whole if number_of(line) > seen] or [self.whole[-1]]
        assert said_in(rest) == said_in(behind)
        assert text_of([*self.shown, *rest]) == text_of(self.whole)
        return True


async def is_refused(answer: PlainAnswer) -> bool:
    """As it may be while the database is away, or slower than anybody waits for."""
    if answer.status == 200:
        return False
    refused = json.loads(await answer.body())
    assert (answer.status, refused["code"]) == (503, "storage_unavailable"), refused
    return True


async def read_lines(answer: PlainAnswer, lines: list[Line]) -> None:
    """To the end, or to where the connection broke off."""
    with suppress(BrokenOff):
        async for line in answer.lines():
            if line:
                lines.append(json.loads(line))  # noqa: PERF401 - what came before it broke off counts


def number_of(line: Line) -> int:
    return int(line["cursor"].rpartition("-")[2])


def said_in(lines: Sequence[Line]) -> list[tuple[int, Line]]:
    """Each with its number. The epoch that they bear is another one where somebody else has ended the turn."""
    return [(number_of(line), {key: value for key, value in line.items() if key != "cursor"}) for line in lines]


def text_of(lines: Sequence[Line]) -> str:
    return "".join(line.get("delta", "") for line in lines)


async def new_messages(port: int, name: str) -> list[Sent]:
    """Messages that nobody has sent yet, for chats that are there."""
    chats = await asyncio.gather(*(_new_chat(port) for _ in range(CHATS)))
    return [
        Sent(chat, f"key {name} {sender}", f"/slow 0.01 /words {WORDS} say {name} {sender}", answer)
        for sender, (chat, answer) in enumerate(chats * (SENDERS // CHATS))
    ]


async def _new_chat(port: int) -> tuple[str, str]:
    """Its id, and an answer as all of them will be."""
    lines: list[Line] = []
    while not lines:
        async with posted(port, "/chat", {"message": f"/words {WORDS}", "chat_id": "new"}) as answer:
            if not await is_refused(answer):
                await read_lines(answer, lines)
    return lines[0]["meta"]["chat_id"], text_of(lines)


async def check_kept(address: Address, sent: list[Sent]) -> Counter[str]:
    """How many turns ended how."""
    database = open_unhurried(address)
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
