"""The chat in a terminal: lines are typed, answers are shown, until its user leaves."""

import contextlib
import sys
import termios
from collections.abc import Iterator
from typing import assert_never

from prompt_toolkit.history import History, InMemoryHistory
from rich.console import Console
from rich.text import Text

from parlance.cli.chat.client import ChatClient
from parlance.cli.chat.commands import (
    HELP,
    ChooseModel,
    Help,
    Instruct,
    Line,
    ListModels,
    Misread,
    New,
    Question,
    Quit,
    Save,
    read_line,
)
from parlance.cli.chat.interrupts import answer, on_interrupt
from parlance.cli.chat.models import NoModels, list_models
from parlance.cli.chat.place import Place
from parlance.cli.chat.printable import printable
from parlance.cli.chat.prompt import Prompt, open_history
from parlance.cli.chat.saving import save_conversation
from parlance.cli.chat.terminal_output import TerminalOutput


async def chat_in_terminal(client: ChatClient, place: Place, usage: bool) -> int:
    """The exit code, once its user has left. `usage`: tell it behind each answer."""
    return await _TerminalChat(client, place, usage=usage).run()


class _TerminalChat:
    def __init__(self, client: ChatClient, place: Place, *, usage: bool) -> None:
        self._client = client
        self._place = place
        self._usage = usage
        self._console = Console(highlight=False)
        self._prompt = Prompt(self._open_history())

    async def run(self) -> int:
        self._tell(f"{self._place.greeting} · /help tells what can be typed")
        # A Ctrl-C that comes just before the line can be typed counts as one that was typed into it.
        with on_interrupt(self._prompt.interrupt):
            return await self._take_lines()

    async def _take_lines(self) -> int:
        leaving = False
        while True:
            try:
                line = read_line(await self._prompt.line())
            except EOFError:
                return 0
            except KeyboardInterrupt:
                if self._prompt.typed:
                    leaving = False
                elif leaving:
                    return 0
                else:
                    leaving = True
                    self._tell("Ctrl-C again, or Ctrl-D, leaves.")
                continue
            leaving = False
            if isinstance(line, Quit):
                return 0
            if line is not None:
                await self._obey(line)

    async def _obey(self, line: Line) -> None:
        match line:
            case Question(text=text):
                await self._answer(text)
            case Help():
                self._tell(HELP)
            case New():
                self._client.conversation.forget()
                self._tell("A new conversation. What was said before is forgotten.")
            case ListModels():
                await self._list_models()
            case ChooseModel(name=name):
                self._choose_model(name)
            case Instruct(text=text):
                self._instruct(text)
            case Save(file=file):
                self._save(file)
            case Misread(reason=reason):
                self._complain(reason)
            case Quit():
                pass
            case _:
                assert_never(line)

    async def _answer(self, text: str) -> None:
        output = TerminalOutput(self._console, usage=self._usage)
        try:
            with _silent_keys():
                await answer(self._client, text, output)
        finally:
            output.close()

    async def _list_models(self) -> None:
        try:
            models = await list_models(self._client.server)
        except NoModels as error:
            self._complain(str(error))
            return
        for model in models:
            chosen = model.default if self._client.asking.model is None else model.id == self._client.asking.model
            self._tell(f"{'*' if chosen else ' '} {model.id}")

    def _choose_model(self, name: str | None) -> None:
        if name is not None:
            self._client.asking.model = name
        self._tell(f"The model is {self._client.asking.model or 'the server’s default'}.")

    def _instruct(self, text: str | None) -> None:
        conversation = self._client.conversation
        if text is not None:
            conversation.instruct(text or None)
        self._tell(f"System: {conversation.system}" if conversation.system else "There is no system text.")

    def _save(self, file: str) -> None:
        try:
            path = save_conversation(self._client.conversation, file)
        except OSError as error:
            self._complain(f"{file} can't be written: {error.strerror or error}. Choose another name.")
        else:
            self._tell(f"Saved in {path}.")

    def _open_history(self) -> History:
        try:
            return open_history(self._place.data)
        except OSError as error:
            self._complain(
                f"No history is kept: {error.filename}: {error.strerror}. PARLANCE_DATA names another folder."
            )
            return InMemoryHistory()

    def _tell(self, text: str) -> None:
        self._console.print(Text(printable(text), "dim"))

    def _complain(self, text: str) -> None:
        self._console.print(Text(printable(text), "yellow"))


@contextlib.contextmanager
def _silent_keys() -> Iterator[None]:
    """What is typed while an answer comes does not stand in the middle of it, but in the next line."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    silent = list(before)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(file, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
