"""We are the client: the language as providers use it."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from parlance.core.deltas import Delta
from parlance.core.errors import HostAnswerInvalid, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest, HostAnswer, Language
from parlance.core.requests import Request
from parlance.dialects.anthropic_messages.faults import decode_error
from parlance.dialects.anthropic_messages.quirks import QUIRKS
from parlance.dialects.anthropic_messages.requests_out import encode_request
from parlance.dialects.anthropic_messages.speaker import MessagesSpeaker
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.raw_fields import read_text

_LIST: Final = msgspec.json.Decoder(dict[str, Raw])
_MODELS: Final = msgspec.json.Decoder(list[dict[str, Raw]])


class AnthropicMessages:
    """Messages, as Anthropic has them and as hosts do that took the language over."""

    family: Family = FAMILY
    framing: Literal["sse", "ndjson"] = "sse"
    quirks: frozenset[str] = frozenset(QUIRKS)
    models_path: str = "/models?limit=1000"

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        return encode_request(request, host=host, quirks=quirks)

    def speaker(self, *, host: str, quirks: frozenset[str]) -> MessagesSpeaker:
        return MessagesSpeaker(host=host)

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        if answer.status >= 300 or not answer.body.lstrip().startswith(b"{"):
            raise decode_error(answer, host=host)
        return MessagesSpeaker(host=host).read_whole(answer.body)

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        return decode_error(answer, host=host)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """The ids, from `{"data":[…]}`; models that are no longer offered are left out."""
        try:
            listed = _MODELS.decode(_LIST.decode(body).get("data", Raw(b"null")))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HostAnswerInvalid(
                "The host's list of models is none. Check that its base URL leads to an API in Anthropic's language."
            ) from error
        names = [read_text(one.get("id")) for one in listed if read_text(one.get("lifecycle")) != "retired"]
        return tuple(dict.fromkeys(name for name in names if name))


LANGUAGE: Language = AnthropicMessages()
