"""An answer as JSON lines on standard output; why it failed also as text on standard error."""

from typing import TextIO

import msgspec

from parlance.cli.chat.endings import tell_trouble
from parlance.cli.chat.printable import printable
from parlance.cli.chat.told import Ended, Told


class JsonOutput:
    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err

    def show(self, told: Told) -> None:
        self._out.write(msgspec.json.encode(told).decode() + "\n")
        self._out.flush()
        if isinstance(told, Ended) and told.status != "completed" and (trouble := tell_trouble(told)):
            self._err.write(printable(trouble) + "\n")
            self._err.flush()
