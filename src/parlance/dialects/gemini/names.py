"""Names of tools on this wire: a letter or underscore, then letters, digits and `_ . : -`, at most 128 in all.

Others are told escaped, such that an answer's calls lead back to them.
"""

import re
from typing import Final

MOST: Final = 128
_ESCAPED: Final = "x:"
_VALID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_CODE: Final = re.compile(r":([0-9a-f]+):")


def encode_name(name: str) -> str:
    if _VALID.fullmatch(name) and not name.startswith(_ESCAPED):
        return name
    return _ESCAPED + _STRANGE.sub(lambda found: f":{ord(found[0]):x}:", name)


def decode_name(name: str) -> str:
    if not name.startswith(_ESCAPED):
        return name
    return _CODE.sub(lambda found: _character(found[1]), name.removeprefix(_ESCAPED))


def _character(code: str) -> str:
    return chr(int(code, 16)) if len(code) < 6 else ""
