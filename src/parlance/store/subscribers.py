"""Who in this process is to be woken, and by what."""

import logging
from collections.abc import Iterable

from parlance.core.stores.bells import Unsubscribe, Wake

DEPARTURES = "departures"
"""In place of an id: what processes that stop are heard by."""

log = logging.getLogger(__name__)


class Subscribers:
    """Who is to be woken, by what they are to hear of."""

    def __init__(self) -> None:
        self._wakes: dict[str, dict[object, Wake]] = {}

    def add(self, id: str, wake: Wake) -> Unsubscribe:
        mark = object()
        self._wakes.setdefault(id, {})[mark] = wake

        def leave() -> None:
            wakes = self._wakes.get(id, {})
            wakes.pop(mark, None)
            if not wakes:
                self._wakes.pop(id, None)

        return leave

    def ring(self, ids: Iterable[str]) -> None:
        for id in ids:
            for wake in tuple(self._wakes.get(id, {}).values()):
                try:
                    wake()
                except Exception:
                    # What rang has been committed: nobody may take it for failed.
                    log.exception("One who was to be woken failed")

    def ring_all(self) -> None:
        self.ring(tuple(self._wakes))
