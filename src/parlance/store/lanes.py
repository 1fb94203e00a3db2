"""The way to a database's connections: so many at a time, in the order in which they were asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from parlance.core.errors import StorageUnavailable
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.store.circuit import Circuit
from parlance.store.faults import CROWDED, SILENT, SLOW, Outage, outage_in
from parlance.store.patience import Patience

PATIENCE = 0.8
"""Seconds for one transaction, from its connection to its commit: who is refused must hear it within a second."""

GIVEN_BACK = 0.15
"""Seconds beyond that for giving the connection back."""

TURN = 10.0
"""Seconds to wait for others' transactions, while the database works."""

LATELY = 0.4
"""Seconds: less than the patience, so that whoever begins behind the last answer of a database will say so."""


class Lane:
    """`width` transactions at a time."""

    def __init__(
        self, engine: AsyncEngine, circuit: Circuit, width: int, *, writes: bool, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._engine = engine
        self._writes = writes
        self._circuit = circuit
        self._free = asyncio.Semaphore(width)
        self._clock = clock
        self._answered_at = float("-inf")

    @property
    def outage(self) -> str | None:
        return self._circuit.outage

    @property
    def lasting(self) -> bool:
        return self._circuit.lasting

    @asynccontextmanager
    async def transaction(self, within: float) -> AsyncIterator[AsyncConnection]:
        """Commits at a clean end, and rolls back else. `StorageUnavailable` when the database can't be used, or takes
        longer than `within` seconds.
        """
        self._circuit.check(writes=self._writes)
        await self._turn()
        try:
            with self._circuit.use(writes=self._writes):
                async with self._watched(within) as connection:
                    yield connection
        finally:
            # Whoever waits is let in, and told at once if the database is down by now.
            self._free.release()

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(TURN):
                await self._free.acquire()
        except TimeoutError:
            raise self._circuit.refusal(CROWDED) from None

    @asynccontextmanager
    async def _watched(self, within: float) -> AsyncIterator[AsyncConnection]:
        """Knows an outage when it sees one, and tells the circuit."""
        begun = committing = False
        try:
            # The inner one ends the work, the outer one a connection that does not let itself be given back.
            async with (
                Patience(within + GIVEN_BACK),
                Patience(within),
                self._engine.connect() as connection,
                connection.begin(),
            ):
                begun = True
                yield connection
                committing = True
        except StorageUnavailable:
            raise
        except Exception as error:
            outage = self._outage_in(error)
            if outage is not None and (self._writes or not outage.writing):
                raise self._circuit.blow(outage, kept=None if committing and self._writes else False) from error
            if begun:
                self._answered()
            raise
        else:
            self._answered()

    def _outage_in(self, error: Exception) -> Outage | None:
        """A database that answers others just now is slow, and not away: others need not be refused for that."""
        outage = outage_in(error)
        return SLOW if outage is SILENT and self._clock.monotonic() - self._answered_at < LATELY else outage

    def _answered(self) -> None:
        self._answered_at = self._clock.monotonic()
        self._circuit.heal(writes=self._writes)
