"""An answer as plain text on standard output, for pipes; all else goes to standard error."""

import time
from typing import TextIO

from parlance.cli.chat.endings import tell_trouble, tell_usage
from parlance.cli.chat.printable import printable
from parlance.cli.chat.told import Ended, TextTold, Told, Warned


class PlainOutput:
    """A terminal gets no control characters of the model's; a pipe gets the text as it is."""

    def __init__(self, out: TextIO, err: TextIO, *, usage: bool) -> None:
        self._out = out
        self._err = err
        self._usage = usage
        self._begun = time.monotonic()
        self._newline = True

    def show(self, told: Told) -> None:
        match told:
            case TextTold(text=text):
                self._out.write(printable(text) if self._out.isatty() else text)
                self._out.flush()
                self._newline = text.endswith("\n")
            case Warned(message=message):
                self._say(f"warning: {message}")
            case Ended():
                self._end(told)
            case _:
                pass

    def _end(self, ended: Ended) -> None:
        if not self._newline:
            self._out.write("\n")
            self._out.flush()
        if trouble := tell_trouble(ended):
            self._say(trouble if ended.status != "completed" else f"warning: {trouble}")
        if self._usage:
            self._say(tell_usage(ended, time.monotonic() - self._begun))

    def _say(self, text: str) -> None:
        self._err.write(printable(text) + "\n")
        self._err.flush()
