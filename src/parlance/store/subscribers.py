"""Who in this process is to be woken, and by what."""

from collections.abc import Iterable

from parlance.core.stores.bells import Unsubscribe, Wake


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
                wake()

    def ring_all(self) -> None:
        self.ring(tuple(self._wakes))
