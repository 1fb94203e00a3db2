"""How long a client goes on trying, once a connection has broken in the middle of an answer."""

import asyncio

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0


class Outage:
    """Waits grow from one attempt to the next, and begin anew once the server was heard again."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds from the first loss; 0 means not to try at all."""
        self._patience = patience
        self._since: float | None = None
        self._attempts = 0

    def end(self) -> None:
        self._since = None
        self._attempts = 0

    async def wait(self) -> bool:
        """Until the next attempt; the first is made at once. False when there is to be none."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        wait = 0.0 if not self._attempts else min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self._attempts - 1))
        self._attempts += 1
        if self._patience <= 0 or now + wait > self._since + self._patience:
            return False
        await asyncio.sleep(wait)
        return True
