"""We are the client: the language as providers use it."""

from typing import Final, Literal

import msgspec

from parlance.core.deltas import Delta
from parlance.core.errors import HostAnswerInvalid, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest, HostAnswer, Language
from parlance.core.requests import Request
from parlance.dialects.gemini.faults import decode_error
from parlance.dialects.gemini.proofs import FAMILY
from parlance.dialects.gemini.requests_out import encode_request
from parlance.dialects.gemini.speaker import GeminiSpeaker, decode_whole
from parlance.dialects.raw_fields import Fields, read_items, read_text

_GENERATES: Final = "generateContent"
_decode_models: Final = msgspec.json.Decoder(Fields).decode


class Gemini:
    """Google's generateContent, as the Gemini API has it."""

    family: Family = FAMILY
    framing: Literal["sse", "ndjson"] = "sse"
    quirks: frozenset[str] = frozenset()
    models_path: str = "/models?pageSize=1000"

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        return encode_request(request, host=host)

    def speaker(self, *, host: str, quirks: frozenset[str]) -> GeminiSpeaker:
        return GeminiSpeaker(host=host)

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        if answer.status >= 300 or not answer.body.lstrip().startswith((b"{", b"[")):
            raise decode_error(answer, host=host)
        return decode_whole(answer.body, host=host)

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        return decode_error(answer, host=host)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """The names of those that generate content, without `models/`. A thousand come at once: all there are."""
        try:
            listed = msgspec.json.decode(_decode_models(body)["models"], type=list[Fields] | None)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
            raise HostAnswerInvalid(
                "The host's list of models is none. Check that its base URL leads to Google's Gemini API."
            ) from error
        names = [read_text(one.get("name")) for one in listed or () if _generates(one)]
        return tuple(dict.fromkeys(name.removeprefix("models/") for name in names if name))


def _generates(model: Fields) -> bool:
    methods = [read_text(one) for one in read_items(model.get("supportedGenerationMethods"))]
    return not methods or _GENERATES in methods


LANGUAGE: Language = Gemini()
