"""Thoughts that a model wrote into its text, told apart from it while both stream."""

from collections.abc import Iterator
from typing import Final, Literal

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_MOST_SPACE: Final = 128
"""So much space before a tag may belong to it: some models write lines without end, and each is held back till then."""

Piece = tuple[Literal["text", "thought"], str]


class TagSplitter:
    """Splits text that begins with `<think>` at its tags, wherever the pieces are cut.

    Only what begins the answer counts: a tag further on is something the model writes about. A thought that is never
    closed is one to the end. The space around tags belongs to neither side.
    """

    def __init__(self) -> None:
        self.over = False
        """There is nothing left to tell apart: what comes now is plain text."""
        self._passed = False
        self._thinking = False
        self._begun = False
        self._held = ""

    def feed(self, text: str) -> Iterator[Piece]:
        """What is certain of the text so far; the rest is held back."""
        self._held += text
        if not self._thinking and not self._passed:
            self._look_for_opening()
        if self._thinking:
            yield from self._think()
        if self._passed and self._held:
            yield from self._speak()

    def close(self) -> Iterator[Piece]:
        """What is still held back, now that no more comes."""
        held, self._held = self._held, ""
        if held and not (self._thinking and held.isspace()):
            yield ("thought" if self._thinking else "text"), held

    def _look_for_opening(self) -> None:
        begin = self._held.lstrip()
        if begin.startswith(_OPEN) and len(self._held) - len(begin) <= _MOST_SPACE:
            self._thinking = True
            self._held = begin[len(_OPEN) :]
        elif (begin and not _OPEN.startswith(begin)) or len(self._held) - len(begin) > _MOST_SPACE:
            self._passed = self._begun = True

    def _think(self) -> Iterator[Piece]:
        if not self._begun:
            self._held = self._held.lstrip()
        thought, close, rest = self._held.partition(_CLOSE)
        if close:
            self._thinking, self._passed = False, True
            self._begun, self._held = False, rest
            thought = thought[: len(thought) - _space_behind(thought)]
        else:
            keep = _unsure(thought)
            thought, self._held = thought[: len(thought) - keep], thought[len(thought) - keep :]
            self._begun = self._begun or bool(thought)
        if thought:
            yield "thought", thought

    def _speak(self) -> Iterator[Piece]:
        text, self._held = (self._held if self._begun else self._held.lstrip()), ""
        if text:
            self._begun = self.over = True
            yield "text", text


def _unsure(text: str) -> int:
    """How much of the end may still be the space before a closing tag, or the beginning of one."""
    tag = next((size for size in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:size])), 0)
    return tag + _space_behind(text[: len(text) - tag])


def _space_behind(text: str) -> int:
    return min(len(text) - len(text.rstrip()), _MOST_SPACE)
