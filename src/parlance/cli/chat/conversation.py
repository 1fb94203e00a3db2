"""What was said so far, as the client knows it: told to a connection that does not, and saved as Markdown."""

from collections.abc import Iterator

from msgspec import Struct

MAX_HISTORY = 400_000
"""Bytes of it that a question brings along: a frame may have 1 MiB, and JSON may escape."""


class Exchange(Struct, frozen=True):
    question: str
    answer: str


class SaidBefore(Struct, frozen=True):
    role: str
    content: str


class Conversation:
    """`changed`: a connection that knew the conversation no longer does."""

    def __init__(self, system: str | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self.changed = False
        self._system = system

    @property
    def system(self) -> str | None:
        return self._system

    def instruct(self, system: str | None) -> None:
        """What the model shall bear in mind from the next question on; None for nothing."""
        self._system = system
        self.changed = True

    def forget(self) -> None:
        self.exchanges.clear()
        self.changed = True

    def add(self, question: str, answer: str) -> None:
        self.exchanges.append(Exchange(question, answer))

    def history(self) -> list[SaidBefore]:
        """Oldest first. What would make it too large is left out, beginning with the oldest."""
        kept: list[SaidBefore] = []
        left = MAX_HISTORY
        for exchange in reversed(self.exchanges):
            left -= len(exchange.question.encode()) + len(exchange.answer.encode())
            if left < 0:
                break
            kept += [SaidBefore("assistant", exchange.answer)] if exchange.answer else []
            kept.append(SaidBefore("user", exchange.question))
        system = [SaidBefore("system", self._system)] if self._system else []
        return [*system, *reversed(kept)]

    def to_markdown(self) -> str:
        return "\n\n".join(self._sections()) + "\n"

    def _sections(self) -> Iterator[str]:
        yield "# Conversation"
        if self._system:
            yield f"## System\n\n{self._system.strip()}"
        for exchange in self.exchanges:
            yield f"## You\n\n{exchange.question.strip()}"
            yield f"## Assistant\n\n{exchange.answer.strip() or '(no answer)'}"
