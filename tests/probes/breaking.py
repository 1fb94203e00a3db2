"""Databases that break off at a commit: what was written is kept, or is not, and nobody is told which."""

import pytest
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPIConnection


class Breaking:
    """From `breaks` on every connection is lost at its commit: behind it, or before it reached the database.

    `times`: how often; for ever, until `heals`, if that is not said.
    """

    def __init__(self) -> None:
        self._left = 0
        self._behind = True
        self.broken = 0

    def breaks(self, *, behind: bool = True, times: int | None = None) -> None:
        self._behind = behind
        self._left = -1 if times is None else times

    def heals(self) -> None:
        self._left = 0

    def commit(self, connection: DBAPIConnection) -> None:
        if not self._left:
            connection.commit()
            return
        self._left -= 1
        self.broken += 1
        if self._behind:
            connection.commit()
        raise ConnectionResetError("the connection was lost at the commit")


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    made = Breaking()
    monkeypatch.setattr(DefaultDialect, "do_commit", made.commit)
    return made
