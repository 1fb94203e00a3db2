"""What every store looks at before it keeps or seeks something, so that each database takes and finds the same."""

import math
import re
import unicodedata

from msgspec import Struct, structs

from parlance.core.errors import Field, InvalidRequest
from parlance.core.stores.model_calls import ModelCall
from parlance.core.text import whole_characters

LONGEST_NAME = 255
"""Characters of a subtenant's id and of a memory's key."""

LONGEST_CODE = 64
"""Characters of an error's code, or a door's name, in the log of model calls."""

MOST_TOKENS = 2**53

_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_uuid(id: str) -> bool:
    """Whether this may be an id that was minted here: no other spelling of a UUID is one."""
    return _UUID.fullmatch(id) is not None


def is_name(text: str) -> bool:
    """Whether this may be a subtenant's id or a memory's key."""
    return 1 <= len(text) <= LONGEST_NAME and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def check_name(text: str, path: str) -> None:
    """`InvalidRequest` for what can't be a subtenant's id or a memory's key."""
    if not is_name(text):
        rule = f"must be 1 to {LONGEST_NAME} characters, none of them a control character"
        raise InvalidRequest(f"{path} {rule}.", fields=(Field(path, rule),))


def check_uuid(id: str, path: str) -> None:
    """`InvalidRequest` for what is no id that was minted here."""
    if not is_uuid(id):
        raise _refused(path, "is not a UUID in lower case with hyphens")


def check_fields(given: Struct) -> None:
    """`check_json` for every field of something new, or of a change."""
    for name in given.__struct_fields__:
        check_json(getattr(given, name), f"$.{name}")


def check_json(value: object, path: str) -> None:
    """`InvalidRequest` for a text that no database holds, at any depth, and for numbers that JSON can't tell.

    Anything but JSON and tuples is passed over.
    """
    rest: list[tuple[object, str]] = [(value, path)]
    while rest:
        value, path = rest.pop()
        match value:
            case str():
                _check_text(value, path)
            case float() if not math.isfinite(value):
                raise _refused(path, "is no finite number")
            case list() | tuple():
                rest += [(item, f"{path}[{number}]") for number, item in enumerate(value)]
            case dict():
                for key, item in value.items():
                    _check_text(key, f"a key of {path}")
                    rest.append((item, f"{path}.{key}"))
            case _:
                pass


def is_storable(text: str) -> bool:
    """Whether every database holds it."""
    return storable(text) == text


def storable_call(call: ModelCall) -> ModelCall:
    """The call with U+FFFD for what no database holds, cut to what its columns hold, and with no absurd figures:
    nobody is there any more to be told of it, and one bad call must not cost the others of its batch.
    """
    texts = {name: value for name in call.__struct_fields__ if isinstance(value := getattr(call, name), str)}
    mended: dict[str, object] = {name: text for name, value in texts.items() if (text := storable(value)) != value}
    mended |= {
        name: texts[name][:LONGEST_CODE] for name in ("door", "error") if len(texts.get(name, "")) > LONGEST_CODE
    }
    if call.usage is not None and any(_absurd(figure) for figure in structs.astuple(call.usage)):
        absurd = [name for name, figure in structs.asdict(call.usage).items() if _absurd(figure)]
        mended["usage"] = structs.replace(call.usage, **dict.fromkeys(absurd))
    return structs.replace(call, **mended) if mended else call


def storable(text: str) -> str:
    """The text with U+FFFD for each NUL and each half of a surrogate pair."""
    return whole_characters(text).replace("\0", "\ufffd")


def _absurd(figure: int | None) -> bool:
    return figure is not None and not 0 <= figure <= MOST_TOKENS


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        raise _refused(path, f"holds a NUL character at {text.index(chr(0))}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _refused(path, f"holds half of a surrogate pair at {error.start}") from None


def _refused(path: str, fault: str) -> InvalidRequest:
    return InvalidRequest(f"{path} {fault}. Send it without.", fields=(Field(path, fault),))
