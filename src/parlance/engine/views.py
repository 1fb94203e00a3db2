"""Turns that do not run here, as they are kept: each is loaded once, however many come back to it at the same time."""

import asyncio
from functools import partial
from weakref import WeakValueDictionary

from parlance.core.ids import TurnId
from parlance.core.journal import KeptJournal
from parlance.core.stores.bells import Bells
from parlance.core.stores.turns import TurnRecord, Turns
from parlance.engine.kept import KeptTurn
from parlance.engine.remote import RemoteTurn

View = KeptTurn | RemoteTurn


class Views:
    """Those who look at a turn share one log, and one look into the stores for what is new in it."""

    def __init__(self, turns: Turns, bells: Bells, journal: KeptJournal) -> None:
        self._turns = turns
        self._bells = bells
        self._journal = journal
        self._views: WeakValueDictionary[TurnId, View] = WeakValueDictionary()
        self._loads: dict[TurnId, asyncio.Task[View]] = {}

    async def open(self, record: TurnRecord) -> View:
        """With all that is kept by now. `TurnNotFound`, `StorageUnavailable`."""
        known = self._views.get(record.id)
        if known is None:
            load = self._loads.get(record.id)
            if load is None:
                # A task of its own: who asked first may leave, and the others go on waiting.
                load = self._loads[record.id] = asyncio.create_task(self._load(record), name=f"loading {record.id}")
                load.add_done_callback(partial(self._loaded, record.id))
                return await asyncio.shield(load)
            known = await asyncio.shield(load)
        await known.catch_up()
        return known

    async def _load(self, record: TurnRecord) -> View:
        told = self._journal.restore(await self._turns.events(record.id))
        view: View = KeptTurn(record, told) if told.ended else RemoteTurn(record, told, self._turns, self._bells)
        self._views[record.id] = view
        return view

    def _loaded(self, turn: TurnId, load: asyncio.Task[View]) -> None:
        del self._loads[turn]
        if not load.cancelled():
            # Looked at, since everybody who asked may have left.
            load.exception()
