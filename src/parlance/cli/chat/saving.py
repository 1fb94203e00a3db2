"""A conversation as a file."""

from pathlib import Path

from parlance.cli.chat.conversation import Conversation


def save_conversation(conversation: Conversation, file: str) -> Path:
    """Write it as Markdown, and say where. `OSError` where that can't be, as over a file that is there already."""
    path = Path(file).expanduser()
    with path.open("x", encoding="utf-8") as new:
        new.write(conversation.to_markdown())
    return path
