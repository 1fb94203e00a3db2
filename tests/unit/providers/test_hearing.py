"""Words that are passed on in the moment they come, between those that wake whoever reads."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import pytest

from parlance.core.deltas import Delta, Finished, TextDelta
from parlance.core.errors import HostAnswerInvalid, TruncatedAnswer, UpstreamError
from parlance.core.provider import Deadlines
from parlance.net.connection import Connection, HttpAnswer
from parlance.net.framing import MAX_FRAME
from parlance.net.sse import SseReader
from parlance.providers.exchange import Exchange
from parlance.providers.languages import LANGUAGES
from parlance.providers.watchdog import Watchdog
from parlance.testing.clock import settle

WORDS = [f"word {number} " for number in range(8)]


def chunk(text: str | None = None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    body = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


class Wire:
    """Stands for the connection; one exchange over it is read by a task, and what it says is kept in order."""

    def __init__(self, takes: Callable[[TextDelta], bool]) -> None:
        self.left = False
        self.heard: list[str] = []
        self.said: list[Delta] = []
        self._takes = takes
        self._answer = HttpAnswer(cast(Connection, self), asyncio.get_running_loop())
        self._answer.begin(200, {})
        speaker = LANGUAGES["openai_chat"].speaker(host="lab", quirks=frozenset())
        watchdog = Watchdog("lab", Deadlines(), asyncio.get_running_loop().time())
        self.exchange = Exchange(
            self._answer, reader=SseReader(host="lab"), speaker=speaker, watchdog=watchdog, host="lab"
        )
        self.exchange.listen(self._hear)
        self.reading = asyncio.create_task(self._read())

    def leave(self, answer: HttpAnswer) -> None:
        self.left = True

    def let_come(self) -> None:
        pass

    async def come(self, *pieces: bytes, waits: bool = True) -> None:
        """What one read of the socket brought."""
        for piece in pieces:
            self._answer.put(piece)
        self._answer.tell()
        if waits:
            await settle()

    async def end(self) -> None:
        self._answer.end()
        await settle()

    def _hear(self, grown: TextDelta) -> bool:
        if not self._takes(grown):
            return False
        self.heard.append(grown.text)
        self.said.append(grown)
        return True

    async def _read(self) -> None:
        try:
            while deltas := await self.exchange.read():
                self.said += deltas
        finally:
            self.exchange.close()


def texts(deltas: Sequence[Delta]) -> list[str]:
    return [delta.text for delta in deltas if isinstance(delta, TextDelta)]


@pytest.mark.parametrize("takes", ["all", "none", "every second", "the first", "the last"])
async def test_all_is_said_once_and_in_order_whatever_is_taken(takes: str) -> None:
    chosen = {"all": WORDS, "none": [], "every second": WORDS[::2], "the first": WORDS[:2], "the last": WORDS[-1:]}
    wire = Wire(lambda grown: grown.text in chosen[takes])
    await settle()
    for word in WORDS:
        await wire.come(chunk(word))
    await wire.come(chunk(finish="stop"))
    await wire.end()
    await wire.reading
    assert texts(wire.said) == WORDS
    assert isinstance(wire.said[-1], Finished)
    # The first word is what shows that the answer has begun, so it is never offered.
    assert wire.heard == [word for word in WORDS[1:] if word in chosen[takes]]
    assert wire.left


async def test_nothing_is_offered_while_the_reader_is_busy_or_but_one_piece_came() -> None:
    wire = Wire(lambda _: True)
    await settle()
    await wire.come(chunk(WORDS[0]))
    await wire.come(chunk(WORDS[1]), chunk(WORDS[2]))
    await wire.come(chunk(WORDS[3]) + chunk(WORDS[4]), waits=False)
    await wire.come(chunk(WORDS[5]))
    await wire.come(chunk(WORDS[6]))
    half = chunk(WORDS[7])
    await wire.come(half[:20])
    await wire.come(half[20:])
    await wire.come(b": alive\n\n")
    await wire.come(chunk(finish="stop"), b"data: [DONE]\n\n")
    await wire.come(chunk("too late"))
    await wire.end()
    await wire.reading
    assert texts(wire.said) == WORDS
    assert wire.heard == WORDS[6:]


async def test_an_error_of_the_stream_is_told_behind_what_was_heard() -> None:
    wire = Wire(lambda _: True)
    await settle()
    for word in WORDS[:3]:
        await wire.come(chunk(word))
    await wire.come(chunk(WORDS[3]) + b'data: {"error": {"message": "It broke."}}\n\n')
    with pytest.raises(UpstreamError, match=r"It broke\."):
        await wire.reading
    assert texts(wire.said) == WORDS[:4]
    assert wire.heard == WORDS[1:3]


@pytest.mark.parametrize("ending", ["end", "endless event", "fail"])
async def test_an_answer_that_breaks_while_it_is_heard_is_cut(ending: str) -> None:
    wire = Wire(lambda _: True)
    await settle()
    for word in WORDS[:3]:
        await wire.come(chunk(word))
    match ending:
        case "end":
            await wire.end()
        case "endless event":
            await wire.come(b"data: " + b"x" * (MAX_FRAME + 1))
        case _:
            wire._answer.fail(ConnectionResetError())
    with pytest.raises(HostAnswerInvalid if ending == "endless event" else TruncatedAnswer):
        await wire.reading
    assert wire.heard == WORDS[1:3]
    assert wire.left


async def test_a_listener_that_breaks_its_word_fails_its_own_answer_alone() -> None:
    def break_word(_: TextDelta) -> bool:
        raise ZeroDivisionError

    wire = Wire(break_word)
    await settle()
    await wire.come(chunk(WORDS[0]))
    await wire.come(chunk(WORDS[1]))
    with pytest.raises(ZeroDivisionError):
        await wire.reading
    assert wire.left
