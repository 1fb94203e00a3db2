"""Clients that take nothing of a turn which another process runs: their process keeps a bounded part of it for them,
cuts them off and says so; the turn goes on, others hear all of it, and whoever was cut goes on from its cursor.
"""

import asyncio
import json
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.raw_client import figures, held, until_held
from tests.acceptance.rpc_session import create_session
from tests.fault.resuming import ALL_DOORS, Doors
from tests.fault.several import new_chat, several
from tests.fault.test_random_cancels import check_figures
from tests.fault.test_two_processes import send, told_to_end, turn_of
from tests.probes.leaks import resident
from tests.probes.polling import until

PIECE, PIECES = "x" * 8192, 360
FLOOD = Script(reply=Reply(text=(PIECE,) * PIECES), hold_after=2, event_delay=0.002, keep_alive=False)
"""More than the buffers between two processes and a follower's bound hold, and not all at once."""

PATIENCE = 60.0
FEW, MANY = 1, 200
"""How many never read, at each of the doors."""

SPARE = 48 << 20
"""Bytes that the reading of such a turn may cost by itself, however many follow."""

EACH = 2 << 20
"""Bytes for each that does not read: what is kept for it, and what the program and the connection have in hand."""

WAYS = (*ALL_DOORS, "live")
GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSED = b"\x88\x0f" + (1013).to_bytes(2) + b"slow_follower"
CURSOR = re.compile(rb"(?:\"cursor\":\"|\nid: )([0-9a-z]+-\d+)")


class SlowReader:
    """Asks for the turn at one door of the process that does not run it, and takes nothing until `read`."""

    def __init__(self, way: str, taken: socket.socket) -> None:
        self.way = way
        self.heard = b""
        self._socket = taken
        # Its system takes little for it, as one far away does.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        taken.setblocking(False)

    async def ask(self, doors: Doors, chat: str, turn: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", doors.server.port))
        match self.way:
            case "ndjson_chat":
                await self._say(GET.format(path=f"/chat/{turn}").encode())
            case "rest":
                await self._say(GET.format(path=f"/api/v1/turns/{turn}/events").encode())
            case "live":
                await self._shake_hands(f"/api/v1/chats/{chat}/live")
            case "ws_chat":
                await self._shake_hands("/ws/chat")
                await self._frame({"action": "resume", "turn_id": turn, "request_id": "slow"})
            case _:
                await self._shake_hands(f"/ws/{await create_session(doors.server)}")
                await self._frame({"jsonrpc": "2.0", "id": 1, "method": "resume", "params": {"task_id": turn}})

    async def read(self) -> None:
        """It is told that it was cut, and no more."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        loop = asyncio.get_running_loop()
        while not self.heard.endswith(CLOSED) and (more := await loop.sock_recv(self._socket, 1 << 20)):
            self.heard += more
        assert b"slow_follower" in self.heard[-2_000:], self.heard[-2_000:]
        assert self.heard.endswith(CLOSED) is (self.way not in ("ndjson_chat", "rest"))
        assert b'"done"' not in self.heard[-2_000:]

    @property
    def taken(self) -> tuple[int, str | None]:
        """How many characters came in whole events, and the cursor of the last of those."""
        cursors = CURSOR.findall(self.heard)
        return self.heard.count(PIECE.encode()), cursors[-1].decode() if cursors else None

    async def _shake_hands(self, path: str) -> None:
        await self._say(HANDSHAKE.format(path=path).encode())
        loop, head = asyncio.get_running_loop(), b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(self._socket, 1)
        assert b" 101 " in head

    async def _frame(self, said: dict[str, object]) -> None:
        """Masked with zeros."""
        data = json.dumps(said).encode()
        size = bytes((0x80 | len(data),)) if len(data) < 126 else bytes((0xFE,)) + len(data).to_bytes(2)
        await self._say(bytes((0x81,)) + size + bytes(4) + data)

    async def _say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)


@pytest.mark.requirement("durability:slow_readers")
async def test_who_takes_nothing_of_another_process_s_turn_is_cut_and_hurts_nobody(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    async with (
        asyncio.timeout(PATIENCE * (4 if long_run else 1)),
        PlannedUpstream(default=FLOOD) as upstream,
        several(tmp_path, database_url, upstream) as processes,
    ):
        near, far = processes[0], processes[-1]
        open_before, before = await held(far.client, "connections"), resident(far.server.pid)
        with ExitStack() as sockets:
            slow = [
                SlowReader(way, sockets.enter_context(socket.socket())) for way in WAYS * (MANY if long_run else FEW)
            ]
            chat = await new_chat(near.client)
            turn = await send(near, chat)
            request = await upstream.arrival()
            for reader in slow:
                await reader.ask(far, chat, turn)
            healthy = asyncio.create_task(told_to_end(far, "ndjson_chat", turn, PATIENCE))

            async def followed() -> bool:
                return (await figures(far.client))["parlance_followers"] >= len(slow) + 1

            await until(followed, within=PATIENCE)
            request.go()
            told = await healthy
            assert sum(len(one.text) for one in told) == PIECES * len(PIECE)
            grown = resident(far.server.pid) - before
            print(f"{len(slow)} slow readers: {grown / 1e6:.1f} MB more")
            assert grown <= SPARE + EACH * len(slow)
            ended = await turn_of(near, turn)
            assert (ended["status"], len(ended["message"]["content"])) == ("completed", PIECES * len(PIECE))
            await asyncio.gather(*(reader.read() for reader in slow))
            await asyncio.gather(*(check_goes_on(far, turn, reader) for reader in slow[: len(WAYS)]))
        await until_held(far.client, connections=open_before)
        await check_figures(far.server)


async def check_goes_on(doors: Doors, turn: str, reader: SlowReader) -> None:
    """From the last that came to it whole: the rest, or all that was shown in a snapshot."""
    pieces, cursor = reader.taken
    assert pieces < PIECES
    async with doors.resumed("ndjson_chat", turn, cursor) as telling:
        told = [one async for one in telling]
    text = sum(len(one.text) for one in told)
    assert told[-1].last
    assert text == (PIECES if told[0].shown else PIECES - pieces) * len(PIECE), (text, pieces, reader.way)
