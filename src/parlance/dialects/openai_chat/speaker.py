"""Chunks become deltas. One speaker reads one answer; the fast path is flat, since it runs for every token."""

from collections.abc import Iterable
from typing import Final

import msgspec

from parlance.core.deltas import (
    Annotated,
    Began,
    Delta,
    Done,
    Finished,
    Noted,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    Signed,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostAnswerInvalid, TruncatedAnswer
from parlance.core.parts import Annotation, Reasoning, Signature, Text
from parlance.core.usage import Finish, Usage
from parlance.dialects.mend import mend_json
from parlance.dialects.openai_chat.calls import CallJoiner
from parlance.dialects.openai_chat.faults import decode_stream_error
from parlance.dialects.openai_chat.lenient import decode_leniently
from parlance.dialects.openai_chat.quirks import END_WITHOUT_FINISH
from parlance.dialects.openai_chat.thoughts import FAMILY, decode_entry, decode_signature
from parlance.dialects.openai_chat.wire import DONE, CallFragment, Chunk, NamedChunk, Prose, WireUsage
from parlance.dialects.raw_fields import decode_fields, read_fields, read_json, read_text

TEXT: Final = "text"
REASONING: Final = "reasoning"
REFUSAL: Final = "refusal"
_LEGACY_CALL: Final = -1

_decode_first: Final = msgspec.json.Decoder(NamedChunk).decode
_decode_next: Final = msgspec.json.Decoder(Chunk).decode

_NO_CHUNK: Final = Chunk(choices=[])

_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filtered",
    "safety": "filtered",
    "insufficient_system_resource": "error",
    "error": "error",
}


class ChatSpeaker:
    """Reads one answer, streamed or whole. It ends at `[DONE]`, or at `close` for hosts that don't send that."""

    def __init__(self, *, host: str, quirks: frozenset[str]) -> None:
        self._host = host
        self._quirks = quirks
        self._begun = False
        self._ended = False
        self._finish: str | None = None
        self._counted = False
        self._mended = False
        self._growing = ""
        self._calls = CallJoiner()

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        if self._ended:
            return []
        out: list[Delta] = []
        try:
            chunk = _decode_next(data) if self._begun else self._begin(_decode_first(data), out)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk = self._decode_slowly(data, out)
        choices = chunk.choices
        if chunk.error or chunk.usage is not None or not choices or event == "error":
            self._take_rest(chunk, data, event, out)
        for choice in choices or ():
            if choice.index == 0:
                delta = choice.delta
                if delta is not None:
                    # Most chunks are plain text: the rest is asked for in one breath.
                    if (
                        delta.reasoning_content
                        or delta.reasoning
                        or delta.reasoning_details
                        or delta.refusal
                        or delta.tool_calls
                        or delta.annotations
                        or delta.function_call
                        or delta.extra_content
                    ):
                        self._take_prose(delta, out)
                    elif delta.content:
                        self._growing = TEXT
                        out.append(TextDelta(TEXT, delta.content))
                elif choice.message is not None:
                    self._take_prose(choice.message, out)
                if choice.finish_reason:
                    self._finish = choice.finish_reason
        return out

    def close(self) -> list[Delta]:
        if self._ended:
            return []
        if self._finish is None:
            raise self._truncated()
        return self._end()

    def _begin(self, chunk: NamedChunk, out: list[Delta]) -> NamedChunk:
        # Azure's first chunk has nothing in it but its filter's results, and empty names.
        if not chunk.error and (chunk.choices or chunk.model or chunk.usage is not None):
            self._begun = True
            out.append(Began(chunk.model or None, chunk.id or None, family=FAMILY))
        return chunk

    def _decode_slowly(self, data: bytes, out: list[Delta]) -> Chunk:
        if data.strip().startswith(DONE):
            out += self._end()
            return _NO_CHUNK
        chunk = decode_leniently(data, host=self._host)
        if not self._begun:
            self._begin(chunk, out)
        if not self._mended and mend_json(data) != data:
            self._mended = True
            out.append(
                Noted("upstream_text_mended", f"{self._host} sent broken Unicode: replaced where it was not readable.")
            )
        return chunk

    def _take_prose(self, prose: Prose, out: list[Delta]) -> None:
        if prose.reasoning_details or prose.reasoning_content or prose.reasoning:
            self._think(prose, out)
        if prose.content:
            self._grow(TextDelta(TEXT, prose.content), out)
        for raw in map(read_json, prose.annotations or ()):
            if raw is not None:
                self._growing = TEXT
                kind = read_text(read_fields(raw).get("type")) or "annotation"
                out.append(Annotated(TEXT, Annotation(FAMILY, kind, raw)))
        signature = decode_signature(prose.extra_content)
        if signature is not None:
            self._sign_text(signature, out)
        if prose.refusal:
            self._grow(RefusalDelta(REFUSAL, prose.refusal), out)
        if prose.tool_calls:
            self._take_calls(prose.tool_calls, out)
        if prose.function_call is not None:
            self._take_calls([CallFragment(index=_LEGACY_CALL, function=prose.function_call)], out)

    def _think(self, prose: Prose, out: list[Delta]) -> None:
        """The twins say the same as the details, which alone say what is signed."""
        entries = [decode_entry(raw) for raw in prose.reasoning_details or ()]
        thought = prose.reasoning_content or prose.reasoning
        if thought and not any(entry.text for entry in entries):
            self._grow(ReasoningDelta(REASONING, thought), out)
        for entry in entries:
            if entry.text:
                self._grow(ReasoningDelta(REASONING, entry.text), out)
            if entry.signature is not None:
                self._sign_thought(entry.signature, sealed=entry.sealed, out=out)

    def _grow(self, delta: TextDelta | ReasoningDelta | RefusalDelta, out: list[Delta]) -> None:
        self._growing = str(delta.key)
        out.append(delta)

    def _take_calls(self, fragments: Iterable[CallFragment], out: list[Delta]) -> None:
        before = len(out)
        self._calls.take(fragments, out)
        if any(isinstance(delta, Opened) for delta in out[before:]):
            self._growing = ""

    def _sign_thought(self, signature: Signature, *, sealed: bool, out: list[Delta]) -> None:
        if self._growing == REASONING and not sealed:
            out.append(Signed(REASONING, signature))
        else:
            thought = Reasoning("", signature, redacted=True)
            out += [Opened(REASONING, thought), Done(REASONING)]
        self._growing = ""

    def _sign_text(self, signature: Signature, out: list[Delta]) -> None:
        if self._growing == TEXT:
            out.append(Signed(TEXT, signature))
        else:
            out += [Opened(TEXT, Text("", signature=signature)), Done(TEXT)]
        self._growing = ""

    def _take_rest(self, chunk: Chunk, data: bytes, event: str, out: list[Delta]) -> None:
        if chunk.error or event == "error":
            raise decode_stream_error(chunk.error or self._text_of(data), host=self._host)
        if chunk.usage is not None:
            self._counted = True
            out.append(UsageReported(decode_usage(chunk.usage)))
        elif chunk.choices is None:
            self._take_other(data, out)

    def _take_other(self, data: bytes, out: list[Delta]) -> None:
        """No choices and no usage: an error of another form, or a kind of chunk we don't know."""
        data = mend_json(data)
        fields = decode_fields(data, host=self._host)
        kind = read_text(fields.get("object")) or ""
        if kind == "error" or (not kind and "detail" in fields):
            raise decode_stream_error(fields if kind else read_text(fields["detail"]) or "", host=self._host)
        if kind != "chat.completion.chunk" and "choices" not in fields:
            out.append(
                Unknown(
                    kind or read_text(fields.get("type")) or "chunk",
                    read_json(msgspec.Raw(data)) or msgspec.Raw(b"null"),
                )
            )

    def _end(self) -> list[Delta]:
        word = self._finish
        if word is None and not (END_WITHOUT_FINISH in self._quirks and self._counted):
            raise self._truncated()
        self._ended = True
        return [*self._calls.close(), Finished(decode_finish(word), word)]

    def _truncated(self) -> TruncatedAnswer:
        return TruncatedAnswer(
            f"The answer of {self._host} ended before the model had said that it was finished. "
            f"What came stands, but it is not the whole; ask again for a whole one.",
            host=self._host,
        )

    def _text_of(self, data: bytes) -> str:
        """What an event named `error` says that is not in OpenAI's form."""
        fields = decode_fields(mend_json(data), host=self._host)
        return read_text(fields.get("message")) or read_text(fields.get("detail")) or ""


def decode_whole(body: bytes, *, host: str, quirks: frozenset[str]) -> list[Delta]:
    """The deltas of an answer that came in one piece: it is whole in itself, also without a finish reason."""
    speaker = ChatSpeaker(host=host, quirks=quirks)
    deltas = speaker.feed(body)
    try:
        return deltas + speaker.close()
    except TruncatedAnswer:
        if not any(isinstance(delta, Began) for delta in deltas):
            raise HostAnswerInvalid(
                f"{host} answered with JSON that is no chat completion. Check that its base URL is right.", host=host
            ) from None
        return [*deltas, Finished("unknown")]


def decode_finish(word: str | None) -> Finish:
    """None is the end of an answer whose host gives no reasons."""
    return "stop" if word is None else _FINISHES.get(word.lower(), "unknown")


def decode_usage(usage: WireUsage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    reasoning = completion.reasoning_tokens if completion is not None else None
    output = usage.completion_tokens
    if output is not None and reasoning and usage.total_tokens == (usage.prompt_tokens or 0) + output + reasoning:
        # Some hosts count reasoning beside the output; then only their total tells.
        output += reasoning
    return Usage(
        input=usage.prompt_tokens,
        output=output,
        cached=prompt.cached_tokens if prompt is not None else usage.prompt_cache_hit_tokens,
        cache_written=prompt.cache_write_tokens if prompt is not None else None,
        reasoning=reasoning,
        estimated=usage.estimated,
    )
