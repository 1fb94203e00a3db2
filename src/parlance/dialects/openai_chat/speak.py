"""We are the client: the language as providers use it."""

from typing import Literal

import msgspec
from msgspec import Raw

from parlance.core.deltas import Delta
from parlance.core.errors import HostAnswerInvalid, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest, HostAnswer, Language
from parlance.core.requests import Request
from parlance.dialects.openai_chat.faults import decode_error
from parlance.dialects.openai_chat.quirks import QUIRKS
from parlance.dialects.openai_chat.requests_out import encode_request
from parlance.dialects.openai_chat.speaker import ChatSpeaker, decode_whole
from parlance.dialects.openai_chat.thoughts import FAMILY
from parlance.dialects.raw_fields import read_text


class OpenAIChat:
    """Chat completions, as OpenAI has them and as compatible hosts do."""

    family: Family = FAMILY
    framing: Literal["sse", "ndjson"] = "sse"
    quirks: frozenset[str] = frozenset(QUIRKS)
    models_path: str = "/models"

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        return encode_request(request, host=host, quirks=quirks)

    def speaker(self, *, host: str, quirks: frozenset[str]) -> ChatSpeaker:
        return ChatSpeaker(host=host, quirks=quirks)

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        if answer.status >= 300 or not answer.body.lstrip().startswith(b"{"):
            raise decode_error(answer, host=host)
        return decode_whole(answer.body, host=host, quirks=quirks)

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        return decode_error(answer, host=host)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """The ids, from `{"data":[…]}`, `{"models":[…]}` or a bare list."""
        try:
            listed = _listed(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HostAnswerInvalid(
                "The host's list of models is none. Check that its base URL leads to an OpenAI-compatible API."
            ) from error
        names = [
            read_text(one.get("id")) or read_text(one.get("name")) or read_text(one.get("model")) for one in listed
        ]
        return tuple(dict.fromkeys(name for name in names if name))


def _listed(body: bytes) -> list[dict[str, Raw]]:
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[dict[str, Raw]])
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    if "data" not in fields and "models" not in fields:
        raise msgspec.ValidationError("neither `data` nor `models`")
    listed = fields.get("data", fields.get("models", Raw(b"null")))
    return msgspec.json.decode(listed, type=list[dict[str, Raw]] | None) or []


LANGUAGE: Language = OpenAIChat()
