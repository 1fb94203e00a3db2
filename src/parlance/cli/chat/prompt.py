"""The line that is typed: several lines if wanted, and a history on disk that its owner alone can read."""

import os
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import FileHistory, History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

HISTORY_FILE = "chat_history"


class Prompt:
    def __init__(self, history: History) -> None:
        self._session: PromptSession[str] = PromptSession(
            "> ",
            history=history,
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation=lambda width, number, wrapped: ". ".rjust(width),
        )

        self._interrupted = False

    async def line(self) -> str:
        """The next line. `KeyboardInterrupt` for Ctrl-C; `EOFError` for Ctrl-D where nothing is typed."""
        self._session.default_buffer.reset()
        interrupted, self._interrupted = self._interrupted, False
        if interrupted:
            raise KeyboardInterrupt
        return await self._session.prompt_async(handle_sigint=False)

    def interrupt(self) -> None:
        """As Ctrl-C in this line, or in the next one where none is typed now."""
        if self._session.app.is_running:
            self._session.app.exit(exception=KeyboardInterrupt())
        else:
            self._interrupted = True

    @property
    def typed(self) -> str:
        """What stood in the line when it was left."""
        return self._session.default_buffer.text


def open_history(folder: Path) -> History:
    """The history kept in a folder, which is made. `OSError` where it can't be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / HISTORY_FILE
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # An older one may be open to others.
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
    return FileHistory(str(path))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    typing = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=typing)
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    def break_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
