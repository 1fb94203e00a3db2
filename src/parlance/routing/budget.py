"""How many calls may be tried again: retries must not multiply the load of a host that has too much of it already."""

SHARE = 0.2
"""Of the calls of one provider."""

RESERVE = 5.0
"""Retries that a provider has in hand before there were any calls, and at most that many more than its share."""


class RetryBudget:
    """Of one provider. Each call earns a share of a retry, each retry takes a whole one."""

    def __init__(self) -> None:
        self._left = RESERVE

    def call(self) -> None:
        self._left = min(self._left + SHARE, RESERVE)

    def take(self) -> bool:
        """Whether one more retry is allowed; it is counted then."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
