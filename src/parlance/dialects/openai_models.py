"""The list of models as OpenAI's APIs have it, and as compatible hosts do."""

import msgspec
from msgspec import Raw

from parlance.core.errors import HostAnswerInvalid
from parlance.dialects.raw_fields import read_text


def decode_models(body: bytes) -> tuple[str, ...]:
    """The ids, from `{"data":[…]}`, `{"models":[…]}` or a bare list. `HostAnswerInvalid` for anything else."""
    try:
        listed = _listed(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HostAnswerInvalid(
            "The host's list of models is none. Check that its base URL leads to an OpenAI-compatible API."
        ) from error
    names = [read_text(one.get("id")) or read_text(one.get("name")) or read_text(one.get("model")) for one in listed]
    return tuple(dict.fromkeys(name for name in names if name))


def _listed(body: bytes) -> list[dict[str, Raw]]:
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[dict[str, Raw]])
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    if "data" not in fields and "models" not in fields:
        raise msgspec.ValidationError("neither `data` nor `models`")
    listed = fields.get("data", fields.get("models", Raw(b"null")))
    return msgspec.json.decode(listed, type=list[dict[str, Raw]] | None) or []
