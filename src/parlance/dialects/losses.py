"""What of a request a language could not say, collected while the request is encoded: shared by all of them."""

from parlance.core.provider import Notice


class Losses:
    """Notices in the order they were met, each once."""

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}

    def add(self, code: str, message: str) -> None:
        self._notices.setdefault(message, Notice(code, message))

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(self._notices.values())
