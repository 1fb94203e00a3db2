"""We are the client: the language as providers use it."""

from typing import Literal

import msgspec

from parlance.core.deltas import Delta
from parlance.core.errors import HostAnswerInvalid, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest, HostAnswer, Language
from parlance.core.requests import Request, Window
from parlance.dialects.mend import mend_json
from parlance.dialects.ollama.faults import decode_error
from parlance.dialects.ollama.quirks import QUIRKS
from parlance.dialects.ollama.requests_out import encode_request
from parlance.dialects.ollama.speaker import OllamaSpeaker, decode_whole
from parlance.dialects.ollama.window import decode_window, encode_window_request
from parlance.dialects.ollama.wire import FAMILY
from parlance.dialects.raw_fields import Fields, read_fields, read_items, read_text


class Ollama:
    """Ollama's chat. `Windowed`: a request has to say how much of the model's window it needs."""

    family: Family = FAMILY
    framing: Literal["sse", "ndjson"] = "ndjson"
    quirks: frozenset[str] = frozenset(QUIRKS)
    models_path: str = "/api/tags"

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        return encode_request(request, host=host)

    def speaker(self, *, host: str, quirks: frozenset[str]) -> OllamaSpeaker:
        return OllamaSpeaker(host=host, quirks=quirks)

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        if answer.status >= 300 or not answer.body.lstrip().startswith(b"{"):
            raise decode_error(answer, host=host)
        return decode_whole(answer.body, host=host, quirks=quirks)

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        return decode_error(answer, host=host)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """The names of the models that are there, from `/api/tags`."""
        try:
            fields = msgspec.json.decode(mend_json(body), type=Fields)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _no_list() from error
        if "models" not in fields:
            raise _no_list()
        listed = [read_fields(one) for one in read_items(fields["models"])]
        names = [read_text(one.get("model")) or read_text(one.get("name")) for one in listed]
        return tuple(dict.fromkeys(name for name in names if name))

    def window_request(self, model: str) -> EncodedRequest:
        return encode_window_request(model)

    def decode_window(self, body: bytes) -> Window | None:
        return decode_window(body)


def _no_list() -> HostAnswerInvalid:
    return HostAnswerInvalid("The host's list of models is none. Check that its base URL leads to Ollama's own API.")


LANGUAGE: Language = Ollama()
