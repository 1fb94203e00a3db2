"""Markdown that is shown while it grows. What can't change any more is printed for good; the rest is drawn again."""

from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

REDRAWS: Final = 10
"""A second."""

MORE_TO_TRY: Final = 200
"""Characters by which the open end grows before it is looked at for blocks that have ended."""


_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


class MarkdownStream:
    """`add` text, then `end`. Printed blocks are the terminal's own, so scrolling back shows each once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open = ""
        self._next_try = MORE_TO_TRY
        self._printed = False
        self._live = Live(
            console=console, transient=True, refresh_per_second=REDRAWS, get_renderable=lambda: _End(self._open)
        )
        self._live.start()

    def add(self, text: str) -> None:
        self._open += text
        if len(self._open) >= self._next_try:
            self._print_ended()
            self._next_try = len(self._open) + max(MORE_TO_TRY, len(self._open) // 8)

    def end(self) -> None:
        rest, self._open = self._open, ""
        self._live.stop()
        if rest.strip():
            self._print(blocks(rest))

    def _print_ended(self) -> None:
        *ended, self._open = blocks(self._open)
        self._print(ended)

    def _print(self, ended: list[str]) -> None:
        """Each by itself: how the text came apart must not show."""
        for block in ended:
            if self._printed:
                self._console.print()
            self._console.print(_render(block))
            self._printed = True


def blocks(text: str) -> list[str]:
    """The blocks of a document, at least one. All but the last have ended, whatever may follow."""
    tokens = _PARSER.parse(text)
    begins = [token.map[0] for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]
    *lines, last = (f"{line}\n" for line in text.split("\n"))
    lines.append(last.removesuffix("\n"))
    return ["".join(lines[begin:end]) for begin, end in pairwise([0, *begins[1:], len(lines)])]


class _End:
    """The open end of the document, so much of it as the terminal can draw again: the last lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = max(2, console.height - 2)
        lines = console.render_lines(_render(_last_lines(self._text, height)), options, pad=False)
        for line in lines[-height:]:
            yield from line
            yield Segment.line()


def _last_lines(text: str, height: int) -> str:
    """A few more than can be seen; of a block of code with its first, which says that it is one."""
    lines = text.split("\n")
    if len(lines) <= 3 * height:
        return text
    fence = lines[:1] if lines[0].lstrip().startswith(("```", "~~~")) else []
    return "\n".join([*fence, *lines[-2 * height :]])


def _render(text: str) -> Markdown:
    """HTML is shown as it was written: left to itself, the library leaves it out."""
    markdown = Markdown("", code_theme="ansi_dark", justify="default")
    markdown.markup = text
    markdown.parsed = _PARSER.parse(text)
    return markdown
