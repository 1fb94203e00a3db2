"""Names as labels. Each value of a label is a series that is kept for ever, so what others choose is bounded."""

import re
from collections.abc import Collection

OTHER = "other"

_NAME = re.compile(r"[A-Za-z0-9_.:/@+-]{1,128}")


class BoundedNames:
    """`own` are the operator's, and always told. Of others the first `most` that are learned; the rest is `other`."""

    def __init__(self, own: Collection[str] = (), *, most: int) -> None:
        self._own = frozenset(own)
        self._learned: set[str] = set()
        self._most = most

    def learn(self, name: str) -> None:
        """To be called once the name has proved to be one, which a text that somebody made up does not."""
        if name not in self and len(self._learned) < self._most and _NAME.fullmatch(name):
            self._learned.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._learned or name in self._own
