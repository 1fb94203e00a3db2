"""We are the client: the language as providers use it."""

from typing import Literal

from parlance.core.deltas import Delta
from parlance.core.errors import UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest, HostAnswer, Language
from parlance.core.requests import Request
from parlance.dialects.openai_models import decode_models
from parlance.dialects.openai_responses.faults import decode_error
from parlance.dialects.openai_responses.quirks import QUIRKS
from parlance.dialects.openai_responses.requests_out import encode_request
from parlance.dialects.openai_responses.speaker import ResponsesSpeaker, decode_whole
from parlance.dialects.openai_responses.wire import FAMILY


class OpenAIResponses:
    """Responses, as OpenAI has them and as hosts of the Open Responses specification do."""

    family: Family = FAMILY
    framing: Literal["sse", "ndjson"] = "sse"
    quirks: frozenset[str] = frozenset(QUIRKS)
    models_path: str = "/models"

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        return encode_request(request, host=host, quirks=quirks)

    def speaker(self, *, host: str, quirks: frozenset[str]) -> ResponsesSpeaker:
        return ResponsesSpeaker(host=host)

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        if answer.status >= 300 or not answer.body.lstrip().startswith(b"{"):
            raise decode_error(answer, host=host)
        return decode_whole(answer.body, host=host)

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        return decode_error(answer, host=host)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        return decode_models(body)


LANGUAGE: Language = OpenAIResponses()
