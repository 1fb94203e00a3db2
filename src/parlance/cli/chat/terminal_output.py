"""An answer on a terminal: Markdown as it grows, thoughts dim, tools in a line each."""

import time

from rich.console import Console
from rich.text import Text

from parlance.cli.chat.endings import INTERRUPTED, exit_code, tell_trouble, tell_usage
from parlance.cli.chat.markdown_stream import MarkdownStream
from parlance.cli.chat.printable import one_line, printable
from parlance.cli.chat.told import CallTold, Ended, ReasoningTold, ResultTold, Started, TextTold, Told, Warned


class TerminalOutput:
    """For one answer. `close` in any case: it gives the terminal back."""

    def __init__(self, console: Console, *, usage: bool) -> None:
        self._console = console
        self._usage = usage
        self._begun = time.monotonic()
        self._markdown: MarkdownStream | None = None
        self._thinking = False

    def show(self, told: Told) -> None:
        match told:
            case TextTold(text=text):
                self._end_thoughts()
                if self._markdown is None:
                    self._markdown = MarkdownStream(self._console)
                self._markdown.add(printable(text))
            case ReasoningTold(text=text):
                self._end_text()
                self._thinking = True
                self._console.print(Text(printable(text), "dim italic"), end="", soft_wrap=True)
            case CallTold():
                self._say_short("⚙ ", f"{told.name} {told.arguments}", "cyan")
            case ResultTold(error=None):
                self._say_short("  → ", told.output or "", "dim")
            case ResultTold():
                self._say_short("  ✗ ", told.error or "", "red")
            case Warned(message=message):
                self._say(f"warning: {message}", "yellow")
            case Ended():
                self._end(told)
            case Started():
                pass

    def close(self) -> None:
        self._end_thoughts()
        self._end_text()

    def _end(self, ended: Ended) -> None:
        self.close()
        if exit_code(ended) == INTERRUPTED:
            self._say(ended.message or "Cancelled.", "yellow")
        if trouble := tell_trouble(ended):
            self._say(trouble, "yellow" if ended.status == "completed" else "bold red")
        if self._usage:
            self._say(tell_usage(ended, time.monotonic() - self._begun), "dim")
        self._console.print()

    def _say(self, text: str, style: str) -> None:
        self.close()
        self._console.print(Text(printable(text), style), soft_wrap=True)

    def _say_short(self, mark: str, text: str, style: str) -> None:
        self._say(mark + one_line(text, self._console.width - len(mark) - 1), style)

    def _end_thoughts(self) -> None:
        if self._thinking:
            self._thinking = False
            self._console.print("\n")

    def _end_text(self) -> None:
        if self._markdown is not None:
            markdown, self._markdown = self._markdown, None
            markdown.end()
