"""Lines become deltas. One speaker reads one answer; the fast path is flat, since it runs for every token."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.deltas import (
    Began,
    Delta,
    Done,
    Finished,
    Noted,
    Opened,
    ReasoningDelta,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostAnswerInvalid, TruncatedAnswer
from parlance.core.ids import CallId, new_call_id
from parlance.core.parts import ToolCall
from parlance.core.usage import Finish, Usage
from parlance.dialects.mend import mend_json
from parlance.dialects.ollama.faults import decode_stream_error
from parlance.dialects.ollama.lenient import arguments_text, decode_leniently, says
from parlance.dialects.ollama.quirks import THINK_TAGS
from parlance.dialects.ollama.tags import TagSplitter
from parlance.dialects.ollama.wire import FAMILY, Line, NamedLine, Said, WireCall
from parlance.dialects.raw_fields import decode_fields, read_json, read_text

TEXT: Final = "text"
REASONING: Final = "reasoning"

_decode_first: Final = msgspec.json.Decoder(NamedLine).decode
_decode_next: Final = msgspec.json.Decoder(Line).decode

_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "filtered",
}
"""The last two are said by Parlance alone. `load` and `unload` answer no request of ours."""


class OllamaSpeaker:
    """Reads one answer, streamed or whole. It ends at the line that is `done`."""

    def __init__(self, *, host: str, quirks: frozenset[str]) -> None:
        self._host = host
        self._begun = False
        self._ended = False
        self._mended = False
        self._calls = 0
        self._ids: set[str] = set()
        self._tags = TagSplitter() if THINK_TAGS in quirks else None

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        if self._ended:
            return []
        out: list[Delta] = []
        try:
            line = _decode_next(data) if self._begun else self._begin(_decode_first(data), out)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = self._decode_slowly(data, out)
        if line.error and says(line.error):
            raise decode_stream_error(line.error, host=self._host)
        said = line.message
        if said is None:
            if not line.done:
                self._take_other(data, out)
        elif said.thinking or said.tool_calls or self._tags is not None:
            self._take(said, out)
        elif said.content:
            out.append(TextDelta(TEXT, said.content))
        if line.done:
            self._end(line, out)
        return out

    def close(self) -> list[Delta]:
        if self._ended:
            return []
        raise TruncatedAnswer(
            f"The answer of {self._host} ended before the model had said that it was finished. "
            f"What came stands, but it is not the whole; ask again for a whole one.",
            host=self._host,
        )

    def _begin(self, line: NamedLine, out: list[Delta]) -> NamedLine:
        if not (line.error and says(line.error)) and (line.message is not None or line.done):
            self._begun = True
            out.append(Began(line.model or None, family=FAMILY))
        return line

    def _decode_slowly(self, data: bytes, out: list[Delta]) -> Line:
        line = decode_leniently(data, host=self._host)
        if not self._begun:
            self._begin(line, out)
        if not self._mended and mend_json(data) != data:
            self._mended = True
            out.append(
                Noted("upstream_text_mended", f"{self._host} sent broken Unicode: replaced where it was not readable.")
            )
        return line

    def _take(self, said: Said, out: list[Delta]) -> None:
        if said.thinking:
            self._leave_tags(out)
            out.append(ReasoningDelta(REASONING, said.thinking))
        if said.content:
            self._take_text(said.content, out)
        if said.tool_calls:
            self._leave_tags(out)
            self._take_calls(said.tool_calls, out)

    def _take_text(self, text: str, out: list[Delta]) -> None:
        if self._tags is None:
            out.append(TextDelta(TEXT, text))
            return
        for kind, piece in self._tags.feed(text):
            out.append(TextDelta(TEXT, piece) if kind == "text" else ReasoningDelta(REASONING, piece))
        if self._tags.over:
            self._tags = None

    def _leave_tags(self, out: list[Delta]) -> None:
        """A host that tells thoughts and calls by themselves, or has ended, writes no tags from there on."""
        if self._tags is not None:
            for kind, piece in self._tags.close():
                out.append(TextDelta(TEXT, piece) if kind == "text" else ReasoningDelta(REASONING, piece))
            self._tags = None

    def _take_calls(self, calls: Iterable[WireCall], out: list[Delta]) -> None:
        for call in calls:
            if not call.function.name:
                out.append(Noted("call_without_name", "The model's host sent a tool call without a name: left out."))
                continue
            given = call.id or ""
            own = CallId(given) if given and given not in self._ids else new_call_id()
            self._ids.add(own)
            whole = ToolCall(
                own,
                call.function.name,
                arguments_text(call.function.arguments),
                upstream_id=given if given and given != own else None,
            )
            out += [Opened(self._calls, whole), Done(self._calls)]
            self._calls += 1

    def _take_other(self, data: bytes, out: list[Delta]) -> None:
        """A line that is no message and no end: a kind we don't know."""
        data = mend_json(data)
        fields = decode_fields(data, host=self._host)
        if "message" not in fields:
            kind = read_text(fields.get("status")) or read_text(fields.get("type")) or "line"
            out.append(Unknown(kind, read_json(Raw(data)) or Raw(b"null")))

    def _end(self, line: Line, out: list[Delta]) -> None:
        self._leave_tags(out)
        self._ended = True
        if line.prompt_eval_count is not None or line.eval_count is not None:
            # No prompt has no tokens: some servers say so of one that they had cached.
            out.append(UsageReported(Usage(input=line.prompt_eval_count or None, output=line.eval_count)))
        out.append(Finished(decode_finish(line.done_reason), line.done_reason or None))


def decode_whole(body: bytes, *, host: str, quirks: frozenset[str]) -> list[Delta]:
    """The deltas of an answer that came in one piece: it is whole in itself, also when it does not say so."""
    speaker = OllamaSpeaker(host=host, quirks=quirks)
    deltas = speaker.feed(body)
    try:
        return deltas + speaker.close()
    except TruncatedAnswer:
        if not any(isinstance(delta, Began) for delta in deltas):
            raise HostAnswerInvalid(
                f"{host} answered with JSON that is no chat of Ollama's. Check that its base URL is right.", host=host
            ) from None
        return [*deltas, Finished("unknown")]


def decode_finish(word: str | None) -> Finish:
    """Older servers give no reason."""
    return _FINISHES.get(word.lower(), "unknown") if word else "stop"
