"""A scripted host that many tests share, one after the other."""

from typing import Any

from parlance.testing.upstream import ScriptedUpstream


class PlannedUpstream(ScriptedUpstream):
    """`begin` forgets what the test before has planned; requests are then counted anew."""

    def begin(self) -> None:
        self._scripts.clear()
        self.requests.clear()

    def sent(self, number: int) -> dict[str, Any]:
        """The body of one request, counted from 0; from the end, if negative."""
        return dict(self.requests[number].json)
