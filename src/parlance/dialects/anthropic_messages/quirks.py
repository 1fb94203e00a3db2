"""What hosts of this language do otherwise, and which version of the API is spoken: names for a host's row."""

from typing import Final

VERSION_2026: Final = "version_2026_10_21"
TEXT_ONLY: Final = "text_only"

QUIRKS: Final = {
    VERSION_2026: "is spoken to in the API's version 2026-10-21, which takes no sampling parameters",
    TEXT_ONLY: "takes no images and files: they are named in the text instead",
}
"""Each quirk and what it means: the host …"""
