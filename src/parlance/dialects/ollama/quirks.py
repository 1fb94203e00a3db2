"""What servers of this language do otherwise: flags that a host's row in the catalogue may name."""

from typing import Final

THINK_TAGS: Final = "think_tags"

QUIRKS: Final = {
    THINK_TAGS: "may begin the text with the model's thoughts, between `<think>` and `</think>`",
}
"""Each quirk and what it means: the host …"""
