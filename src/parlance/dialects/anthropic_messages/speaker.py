"""Events become deltas. One speaker reads one answer; the fast path is flat, since it runs for every token."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.deltas import (
    Annotated,
    ArgumentsDelta,
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
from parlance.core.parts import Annotation, Kept, Reasoning, Signature, Text, ToolCall
from parlance.dialects.anthropic_messages.accounts import decode_usage, merge_usage
from parlance.dialects.anthropic_messages.faults import decode_stream_error
from parlance.dialects.anthropic_messages.finishes import decode_finish
from parlance.dialects.anthropic_messages.keeping import KeptBlock
from parlance.dialects.anthropic_messages.lenient import decode_block, decode_leniently, decode_message
from parlance.dialects.anthropic_messages.names import decode_name
from parlance.dialects.anthropic_messages.proofs import decode_rider, keep_additions
from parlance.dialects.anthropic_messages.wire import FAMILY, Block, StreamEvent, WireDelta, WireMessage, WireUsage
from parlance.dialects.foreign import unwrap_signature
from parlance.dialects.mend import mend_json
from parlance.dialects.raw_fields import read_fields, read_json, read_text

_decode: Final = msgspec.json.Decoder(StreamEvent).decode
_EMPTY: Final = (b"", b"null", b"{}")


class MessagesSpeaker:
    """Reads one answer. It ends at `message_stop`, and nowhere else.

    A call is done when the next block begins, not when its own ends: what follows it may be its signature.
    """

    def __init__(self, *, host: str) -> None:
        self._host = host
        self._ended = False
        self._mended = False
        self._finish: str | None = None
        self._usage: WireUsage | None = None
        self._kept: dict[int, KeptBlock] = {}
        self._inputs: dict[int, str] = {}
        self._call: tuple[int, str] | None = None
        self._riders: dict[str, Signature] = {}
        self._skipped: set[int] = set()

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        if self._ended:
            return []
        out: list[Delta] = []
        try:
            told = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = self._decode_slowly(data, out)
        delta = told.delta
        if delta is not None and told.type == "content_block_delta":
            # Nearly all events are growth of text.
            if delta.type == "text_delta" and delta.text:
                out.append(TextDelta(told.index, delta.text))
            elif delta.type == "thinking_delta" and delta.thinking:
                out.append(ReasoningDelta(told.index, delta.thinking))
            elif delta.type == "input_json_delta" and delta.partial_json and told.index not in self._kept:
                self._inputs.pop(told.index, None)
                out.append(ArgumentsDelta(told.index, delta.partial_json))
            else:
                self._take_delta(told.index, delta, data, out)
        else:
            self._take(told, data, event, out)
        return out

    def close(self) -> list[Delta]:
        if self._ended:
            return []
        raise TruncatedAnswer(
            f"The answer of {self._host} ended before the model had said that it was finished. "
            f"What came stands, but it is not the whole; ask again for a whole one.",
            host=self._host,
        )

    def read_whole(self, body: bytes) -> list[Delta]:
        """The deltas of an answer that came in one piece. `HostAnswerInvalid` for what is none."""
        message, out = decode_message(body), list[Delta]()
        if message.type == "error" or bytes(message.error) not in _EMPTY:
            raise decode_stream_error(body, host=self._host)
        if message.content is None:
            raise HostAnswerInvalid(
                f"{self._host} answered with JSON that is no message. Check that its base URL is right.",
                host=self._host,
            )
        self._begin(message, out)
        for index, block in enumerate(message.content):
            self._open(index, block, out)
            self._close(index, out)
        self._finish = message.stop_reason
        self._end(out)
        return out

    def _decode_slowly(self, data: bytes, out: list[Delta]) -> StreamEvent:
        told = decode_leniently(data, host=self._host)
        if not self._mended and mend_json(data) != data:
            self._mended = True
            out.append(
                Noted("upstream_text_mended", f"{self._host} sent broken Unicode: replaced where it was not readable.")
            )
        return told

    def _take(self, told: StreamEvent, data: bytes, event: str, out: list[Delta]) -> None:
        kind = told.type or event
        if kind == "error" or event == "error" or bytes(told.error) not in _EMPTY:
            raise decode_stream_error(data, host=self._host)
        match kind:
            case "content_block_start":
                self._open(told.index, told.content_block, out)
            case "content_block_stop":
                self._close(told.index, out)
            case "message_start":
                self._begin(decode_message(bytes(told.message)), out)
            case "message_delta":
                self._finish_call(out)
                if told.delta is not None:
                    self._finish = told.delta.stop_reason or self._finish
                self._count(told.usage, out)
            case "message_stop":
                self._end(out)
            case "ping" | "content_block_delta":
                pass
            case _:
                self._pass_on(kind or "event", data, out)

    def _take_delta(self, index: int, delta: WireDelta, data: bytes, out: list[Delta]) -> None:
        """Growth that is rare: a proof, a citation, a kept block's input, a type that we don't know."""
        if index in self._kept:
            self._kept[index].grow(read_fields(read_json(Raw(data))).get("delta"), delta.partial_json or "")
        elif delta.type == "signature_delta":
            if delta.signature:
                out.append(Signed(index, unwrap_signature(delta.signature, family=FAMILY)))
        elif delta.type == "citations_delta":
            self._cite(index, delta.citation, out)
        elif delta.type not in ("text_delta", "thinking_delta", "input_json_delta"):
            self._pass_on(delta.type or "content_block_delta", data, out)

    def _cite(self, index: int, citation: Raw, out: list[Delta]) -> None:
        raw = read_json(citation) if citation else None
        if raw is not None:
            out.append(Annotated(index, Annotation(FAMILY, read_text(read_fields(raw).get("type")) or "citation", raw)))

    def _begin(self, message: WireMessage, out: list[Delta]) -> None:
        out.append(Began(message.model or None, message.id or None, family=FAMILY))
        self._count(message.usage, out)

    def _count(self, said: WireUsage | None, out: list[Delta]) -> None:
        if said is None:
            return
        self._usage = merge_usage(self._usage, said)
        usage = decode_usage(self._usage)
        if usage is not None:
            out.append(UsageReported(usage))

    def _open(self, index: int, raw: Raw, out: list[Delta]) -> None:
        block = decode_block(raw)
        rider = decode_rider(block.data or "") if block.type == "redacted_thinking" else None
        if rider is not None:
            self._skipped.add(index)
            self._ride(*rider, out)
            return
        self._finish_call(out)
        match block.type:
            case "text":
                out.append(Opened(index, Text(block.text or "")))
                for citation in block.citations or ():
                    self._cite(index, citation, out)
            case "thinking":
                signature = unwrap_signature(block.signature, family=FAMILY) if block.signature else None
                out.append(Opened(index, Reasoning(block.thinking or "", signature)))
            case "redacted_thinking":
                sealed = unwrap_signature(block.data or "", family=FAMILY)
                out.append(Opened(index, Reasoning("", sealed, redacted=True)))
            case "tool_use" if block.name:
                self._open_call(index, block, out)
            case _:
                self._keep(index, block.type, raw, out)

    def _open_call(self, index: int, block: Block, out: list[Delta]) -> None:
        id = CallId(block.id or "") or new_call_id()
        signature = self._riders.pop(id, None) or keep_additions(block.caller, block.toolset_name)
        whole = read_json(block.input) if bytes(block.input) not in _EMPTY else None
        if whole is not None:
            self._inputs[index] = bytes(whole).decode()
        self._call = (index, id)
        out.append(Opened(index, ToolCall(id, decode_name(block.name or ""), "", signature)))

    def _keep(self, index: int, type: str | None, raw: Raw, out: list[Delta]) -> None:
        whole = read_json(raw) if raw else None
        if whole is None or not type:
            self._skipped.add(index)
            out.append(Unknown(type or "content_block", whole or Raw(b"null")))
            return
        self._kept[index] = KeptBlock(type, whole)
        out.append(Opened(index, Kept(FAMILY, type, whole)))

    def _ride(self, id: str, signature: Signature, out: list[Delta]) -> None:
        if self._call is not None and self._call[1] == id:
            out.append(Signed(self._call[0], signature))
        else:
            self._riders[id] = signature

    def _close(self, index: int, out: list[Delta]) -> None:
        if index in self._skipped:
            return
        if index in self._inputs:
            # It came whole with the block, and nothing of it behind: some hosts don't stream it.
            out.append(ArgumentsDelta(index, self._inputs.pop(index)))
        if self._call is not None and self._call[0] == index:
            return
        kept = self._kept.pop(index, None)
        out.append(Done(index) if kept is None else Done(index, Kept(FAMILY, kept.type, kept.close())))

    def _finish_call(self, out: list[Delta]) -> None:
        if self._call is not None:
            out.append(Done(self._call[0]))
            self._call = None

    def _end(self, out: list[Delta]) -> None:
        self._finish_call(out)
        self._ended = True
        out.append(Finished(decode_finish(self._finish), self._finish))

    def _pass_on(self, type: str, data: bytes, out: list[Delta]) -> None:
        out.append(Unknown(type, read_json(Raw(data)) or Raw(b"null")))
