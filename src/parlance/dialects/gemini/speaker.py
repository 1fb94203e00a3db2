"""Chunks become deltas. One speaker reads one answer; the fast path is flat, since it runs for every token."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.deltas import (
    Annotated,
    Began,
    Delta,
    Done,
    Finished,
    Noted,
    Opened,
    ReasoningDelta,
    Signed,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostAnswerInvalid, TruncatedAnswer
from parlance.core.ids import CallId, new_call_id
from parlance.core.parts import Annotation, Kept, Reasoning, Text, ToolCall
from parlance.dialects.complaint import tell
from parlance.dialects.gemini.endings import decode_finish, decode_usage
from parlance.dialects.gemini.faults import decode_stream_error
from parlance.dialects.gemini.lenient import decode_leniently, kind_of, raw_parts
from parlance.dialects.gemini.names import decode_name
from parlance.dialects.gemini.proofs import FAMILY, decode_signature
from parlance.dialects.gemini.wire import ANNOTATIONS, Candidate, Chunk, FunctionCall, NamedChunk, Part
from parlance.dialects.mend import mend_json
from parlance.dialects.raw_fields import decode_fields, read_json

TEXT: Final = "text"
REASONING: Final = "reasoning"

_decode_first: Final = msgspec.json.Decoder(NamedChunk).decode
_decode_next: Final = msgspec.json.Decoder(Chunk).decode


class GeminiSpeaker:
    """Reads one answer, streamed or whole. It ends at `close`: nothing on this wire says that no more will come."""

    def __init__(self, *, host: str) -> None:
        self._host = host
        self._begun = False
        self._finish: str | None = None
        self._blocked = False
        self._mended = False
        self._growing = ""
        self._keys = 0
        self._ids: set[str] = set()
        # The parts of the chunk that was last looked at as a whole: it may hold thousands.
        self._looked_at = b""
        self._raw_parts: list[Raw] = []

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        out: list[Delta] = []
        try:
            chunk = _decode_next(data) if self._begun else self._begin(_decode_first(data), out)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._feed_slowly(data, out)
        self._take(chunk, data, out)
        return out

    def close(self) -> list[Delta]:
        word = self._finish
        if word is None:
            raise TruncatedAnswer(
                f"The answer of {self._host} ended before the model had said that it was finished. "
                f"What came stands, but it is not the whole; ask again for a whole one.",
                host=self._host,
            )
        return [Finished("filtered" if self._blocked else decode_finish(word), word)]

    def _take(self, chunk: Chunk, data: bytes, out: list[Delta]) -> None:
        candidates = chunk.candidates
        if not candidates or chunk.error or chunk.prompt_feedback is not None:
            self._take_rest(chunk, data, out)
        for candidate in candidates or ():
            if candidate.index == 0:
                content = candidate.content
                if content is not None and content.parts:
                    for at, part in enumerate(content.parts):
                        # Most parts are plain text or plain thought: the rest is asked for in one breath.
                        if part.text and part.function_call is None and part.thought_signature is None:
                            if part.thought:
                                self._growing = REASONING
                                out.append(ReasoningDelta(REASONING, part.text))
                            else:
                                self._growing = TEXT
                                out.append(TextDelta(TEXT, part.text))
                        else:
                            self._take_part(part, at, data, out)
                if (
                    candidate.finish_reason
                    or candidate.grounding_metadata
                    or candidate.citation_metadata
                    or candidate.url_context_metadata
                ):
                    self._take_remarks(candidate, out)
        counted = chunk.usage_metadata
        if counted is not None and (counted.candidates_token_count is not None or self._finish is not None):
            out.append(UsageReported(decode_usage(counted)))

    def _begin(self, chunk: NamedChunk, out: list[Delta]) -> NamedChunk:
        if not chunk.error:
            self._begun = True
            out.append(Began(chunk.model_version or None, chunk.response_id or None, family=FAMILY))
        return chunk

    def _feed_slowly(self, data: bytes, out: list[Delta]) -> list[Delta]:
        mended = mend_json(data)
        for one, chunk in decode_leniently(mended, host=self._host):
            if not self._begun:
                self._begin(chunk, out)
            self._take(chunk, one, out)
        if not self._mended and mended != data:
            self._mended = True
            out.append(
                Noted("upstream_text_mended", f"{self._host} sent broken Unicode: replaced where it was not readable.")
            )
        return out

    def _take_part(self, part: Part, at: int, data: bytes, out: list[Delta]) -> None:
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, out)
        elif part.text is None and self._keep(self._raw_part(at, data), out):
            pass
        elif part.thought:
            self._think(part.text or "", part.thought_signature, out)
        else:
            self._say(part.text or "", part.thought_signature, out)

    def _say(self, text: str, signature: str | None, out: list[Delta]) -> None:
        """A signature on empty text is that of the text before it, if there is any."""
        if text:
            self._growing = TEXT
            out.append(TextDelta(TEXT, text))
        if not signature:
            return
        signed = decode_signature(signature)
        if self._growing == TEXT:
            out.append(Signed(TEXT, signed))
        else:
            out += [Opened(TEXT, Text("", signature=signed)), Done(TEXT)]
        self._growing = ""

    def _think(self, text: str, signature: str | None, out: list[Delta]) -> None:
        if text:
            self._growing = REASONING
            out.append(ReasoningDelta(REASONING, text))
        if not signature:
            return
        signed = decode_signature(signature)
        if self._growing == REASONING:
            out.append(Signed(REASONING, signed))
        else:
            out += [Opened(REASONING, Reasoning("", signed, redacted=True)), Done(REASONING)]
        self._growing = ""

    def _call(self, call: FunctionCall, signature: str | None, out: list[Delta]) -> None:
        if call.partial_args or call.will_continue:
            raise HostAnswerInvalid(
                f"{self._host} sent the arguments of a tool call in pieces, which it was not asked for. "
                f"Leave out `streamFunctionCallArguments`.",
                host=self._host,
            )
        if not call.name:
            out.append(Noted("call_without_name", "The model's host sent a tool call without a name: left out."))
            return
        given = call.id or None
        known = given in self._ids
        made = ToolCall(
            id=CallId(given) if given and not known else new_call_id(),
            name=decode_name(call.name),
            arguments=_arguments(call.args),
            signature=decode_signature(signature) if signature else None,
            upstream_id=given,
        )
        if given:
            self._ids.add(given)
        self._open(made, out)

    def _raw_part(self, at: int, data: bytes) -> Raw | None:
        if data is not self._looked_at:
            self._looked_at, self._raw_parts = data, raw_parts(data)
        return self._raw_parts[at] if at < len(self._raw_parts) else None

    def _keep(self, part: Raw | None, out: list[Delta]) -> bool:
        """Whether it is a part of another kind."""
        raw = read_json(part) if part is not None else None
        kind = kind_of(raw) if raw is not None else None
        if raw is None or kind is None:
            return False
        self._open(Kept(FAMILY, kind, raw), out)
        return True

    def _open(self, part: ToolCall | Kept, out: list[Delta]) -> None:
        self._keys += 1
        self._growing = ""
        out += [Opened(self._keys, part), Done(self._keys)]

    def _take_remarks(self, candidate: Candidate, out: list[Delta]) -> None:
        """What is said of the text comes with its end, and is told before the signature that seals it."""
        raws = (candidate.citation_metadata, candidate.grounding_metadata, candidate.url_context_metadata)
        told: list[Delta] = [
            Annotated(TEXT, Annotation(FAMILY, kind, data))
            for kind, raw in zip(ANNOTATIONS, raws, strict=True)
            if raw and (data := read_json(raw)) is not None and bytes(data) != b"null"
        ]
        sealed = out and isinstance(out[-1], Signed) and out[-1].key == TEXT
        at = len(out) - 1 if sealed else len(out)
        out[at:at] = told
        if told and not sealed:
            self._growing = TEXT
        if candidate.finish_reason:
            self._finish = candidate.finish_reason
            if candidate.finish_message:
                out.append(Noted("upstream_finish", f"{self._host} said at the end: {tell(candidate.finish_message)}"))

    def _take_rest(self, chunk: Chunk, data: bytes, out: list[Delta]) -> None:
        if chunk.error and bytes(chunk.error) != b"null":
            raise decode_stream_error(data, host=self._host)
        feedback = chunk.prompt_feedback
        if feedback is not None and feedback.block_reason:
            self._finish, self._blocked = feedback.block_reason, True
            if feedback.block_reason_message:
                told = tell(feedback.block_reason_message)
                out.append(Noted("upstream_finish", f"{self._host} said of the prompt: {told}"))
        elif chunk.usage_metadata is None and feedback is None and not chunk.candidates:
            fields = decode_fields(mend_json(data), host=self._host)
            kind = next((name for name in fields if name not in _NAMES), None)
            if kind is not None:
                out.append(Unknown(kind, read_json(Raw(data)) or Raw(b"null")))


_NAMES: Final = ("modelVersion", "responseId", "createTime", "candidates")


def decode_whole(body: bytes, *, host: str) -> list[Delta]:
    """The deltas of an answer that came in one piece: it is whole in itself, also without a finish reason."""
    speaker = GeminiSpeaker(host=host)
    deltas = speaker.feed(body)
    try:
        return deltas + speaker.close()
    except TruncatedAnswer:
        if all(isinstance(delta, Began | Unknown) for delta in deltas):
            raise HostAnswerInvalid(
                f"{host} answered with JSON that is no answer of a model. Check that its base URL is right.", host=host
            ) from None
        return [*deltas, Finished("unknown")]


def _arguments(args: Raw) -> str:
    text = bytes(args)
    return "" if text == b"null" else text.decode("utf-8", "replace")
