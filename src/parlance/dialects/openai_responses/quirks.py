"""What hosts of this language can't take or do otherwise: flags that a host's row in the catalogue may name."""

from typing import Final

NO_ENCRYPTED_REASONING: Final = "no_encrypted_reasoning"
NO_ALLOWED_TOOLS: Final = "no_allowed_tools"
TEXT_ONLY: Final = "text_only"

QUIRKS: Final = {
    NO_ENCRYPTED_REASONING: "refuses `include` and encrypted reasoning: none is asked for or sent back",
    NO_ALLOWED_TOOLS: "does not know the choice `allowed_tools`: only the allowed ones are offered",
    TEXT_ONLY: "takes no images and files: they are named in the text instead",
}
"""Each quirk and what it means: the host …"""
