"""The probes see what is left behind: in a process of its own, and of this one's objects."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from tests.probes.leaks import alive, settled
from tests.probes.processes import ProcessProbe, held_by, quiet

# Does what it is told, a line each, and says so.
CHILD = """
import sys
held = []
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells what a process holds")


class Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def do(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        assert await self._process.stdout.readline() == b"done\n"


@pytest.fixture
async def child() -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    yield Child(process)
    process.kill()
    await process.communicate()


@pytest.mark.parametrize(
    ("leak", "mend", "what"),
    [
        ("held.append(open('/dev/null'))", "held.pop().close()", "descriptors"),
        ("import socket; held.append(socket.socket())", "held.pop().close()", "1 are sockets"),
        ("held.append(b'x' * 50_000_000)", "held.clear()", "MB before"),
    ],
)
async def test_what_a_process_holds_more_than_before_is_seen(child: Child, leak: str, mend: str, what: str) -> None:
    await child.do("pass")
    probe = ProcessProbe(child.pid, spare=10_000_000)
    await probe.settled()
    await child.do(leak)
    with pytest.raises(AssertionError, match=what):
        await probe.settled(within=0)
    await child.do(mend)
    await probe.settled()


async def test_a_process_that_spins_is_not_quiet(child: Child) -> None:
    await child.do("pass")
    await quiet(child.pid)
    await child.do("import threading; threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start()")
    with pytest.raises(AssertionError, match="nothing to do"):
        # On a busy machine it gets little, but not nothing.
        await quiet(child.pid, within=0, share=0.0)


async def test_a_process_that_is_gone_holds_nothing(child: Child) -> None:
    assert held_by(child.pid) is not None
    assert held_by(2**22 + 1) is None


async def test_objects_are_counted_by_their_very_type_and_what_never_comes_true_is_told() -> None:
    class One:
        pass

    class Another(One):
        pass

    kept = [One(), Another(), One()]
    assert alive(One) == len(kept) - 1
    with pytest.raises(AssertionError, match="has not"):
        await settled(lambda: False, within=0)
