"""What of a request a language could not say, collected while the request is encoded: shared by all of them."""

from typing import Final

from msgspec import Raw

from parlance.core.parts import Family
from parlance.core.provider import Notice
from parlance.core.requests import Request

_ANYTHING: Final = "…"


class Losses:
    """Notices in the order they were met, each once."""

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}

    def add(self, code: str, message: str) -> None:
        self._notices.setdefault(message, Notice(code, message))

    def pad(self, host: str) -> str:
        """What to say where a host wants a message to answer and the history has none, with the notice of it."""
        self.add("history_padded", f"{host} wants a message to answer, and there is none: {_ANYTHING!r} was sent.")
        return _ANYTHING

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(self._notices.values())


def own_extra(request: Request, family: Family, host: str, losses: Losses) -> dict[str, Raw]:
    """The fields that only this family has a word for; those of others are left out, and said."""
    for other, fields in request.extra.items():
        if other != family and fields:
            names = ", ".join(sorted(fields))
            losses.add("fields_dropped", f"Fields of another language ({other}) mean nothing to {host}: {names}.")
    return dict(request.extra.get(family, {}))
