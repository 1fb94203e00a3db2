"""The fenced blocks of a page, and what their first line says is to be done with each. Running them lives elsewhere.

Behind the language stands the task: nothing (it is run, or read, as its language says), `output` (of the block before
it), `greeting` (what the server prints at its start), `socket` (a conversation at the WebSocket chat), `socket=PATH`
(at another door), `serve` (settings for the server that the next blocks talk to), `file=PATH`, `edit=PATH`, `exit=N`
(the exit code to expect), or `not run: WHY`.
"""

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(?P<language>\w*)[ ]?(?P<task>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = {
    "sh": ("", "exit="),
    "python": ("", "file="),
    "yaml": ("", "serve"),
    "dotenv": ("", "serve"),
    "diff": ("edit=",),
    "json": ("output",),
    "ndjson": ("output",),
    "text": ("output", "greeting", "socket", "socket="),
}
"""By language, the tasks that are carried out. Plain `text` is a picture, and stands for itself."""


class Block(NamedTuple):
    """One fenced block. `line` is that of its fence."""

    line: int
    language: str
    task: str
    text: str

    @property
    def not_run(self) -> bool:
        return self.task.startswith("not run") or (self.language, self.task) == ("text", "")

    @property
    def known(self) -> bool:
        """Whether it is clear what to do with it: a block that is left out says why."""
        if self.not_run:
            return self.language == "text" or bool(re.match(r"not run: \w+ \w+", self.task))
        return any(self.task == task or (task.endswith("=") and self.task.startswith(task)) for task in self._tasks)

    @property
    def _tasks(self) -> tuple[str, ...]:
        return RUN.get(self.language, ())

    def argument(self, name: str) -> str | None:
        """`PATH` of the task `file=PATH`."""
        return self.task.removeprefix(f"{name}=") if self.task.startswith(f"{name}=") else None


def read_blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, match.start()) + 1, match["language"], match["task"].strip(), match["text"])
        for match in FENCE.finditer(text)
    ]
