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
    Noted,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostAnswerInvalid, TruncatedAnswer
from parlance.core.parts import Part, Reasoning, Refusal, Text
from parlance.dialects.mend import mend_json
from parlance.dialects.openai_responses.endings import decode_ending, decode_usage
from parlance.dialects.openai_responses.faults import decode_stream_error
from parlance.dialects.openai_responses.items import annotation_of, call_of_item, parts_of_item
from parlance.dialects.openai_responses.wire import (
    DONE,
    ENDINGS,
    FAMILY,
    HOSTED,
    SAID_AGAIN,
    SNAPSHOTS,
    WireEvent,
    call_key,
    content_key,
    read_event,
    summary_key,
)
from parlance.dialects.raw_fields import (
    Fields,
    decode_fields,
    read_fields,
    read_items,
    read_json,
    read_text,
)

_decode: Final = msgspec.json.Decoder(WireEvent).decode

_EMPTY: Final[dict[str, Part]] = {
    "output_text": Text(""),
    "refusal": Refusal(""),
    "reasoning_text": Reasoning(""),
    "summary_text": Reasoning("", summary=True),
}


class ResponsesSpeaker:
    """Reads one answer. It ends with the event that says so; what comes behind it is not looked at."""

    def __init__(self, *, host: str) -> None:
        self._host = host
        self._begun = False
        self._ended = False
        self._mended = False
        # The open part of each item; the items that are done; the parts that ended before their item did.
        self._open: dict[int, int] = {}
        self._closed: set[int] = set()
        self._ended_before: set[int] = set()

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        """Raises `UpstreamError` for an error that is told in the stream."""
        if self._ended:
            return []
        out: list[Delta] = []
        try:
            told = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if data.strip().startswith(DONE):
                return []
            told = self._decode_slowly(data, out)
        kind = told.type or event
        if kind == "response.output_text.delta":
            # Most events are plain text.
            key = (told.output_index << 16) + (told.content_index << 1) + 1
            is_open = self._open.get(told.output_index) == key
            if (is_open or self._open_part(key, told.output_index, "output_text", out)) and told.delta:
                out.append(TextDelta(key, told.delta))
        elif kind == "response.function_call_arguments.delta" or kind == "response.custom_tool_call_input.delta":
            if told.delta:
                out.append(ArgumentsDelta(call_key(told.output_index), told.delta))
        else:
            self._take(kind, told, data, out)
        return out

    def close(self) -> list[Delta]:
        if not self._ended:
            raise TruncatedAnswer(
                f"The answer of {self._host} ended before the model had said that it was finished. "
                f"What came stands, but it is not the whole; ask again for a whole one.",
                host=self._host,
            )
        return []

    def take_response(self, raw: Raw, out: list[Delta], *, ending: str = "") -> None:
        """A whole response: what of it has not come yet, and how it ended. Raises what a failed one stands for.

        `ending` is the status that its event stands for.
        """
        response = read_fields(raw)
        self._begin(response, out)
        if not self._closed:
            # A host that does not tell when an item is done tells it whole here, at the latest.
            for index, item in enumerate(read_items(response.get("output"))):
                self._close_item(index, item, out)
        usage = decode_usage(response.get("usage"))
        if usage is not None:
            out.append(UsageReported(usage))
        out.append(decode_ending(response, ending, host=self._host))
        self._ended = True

    def _take(self, kind: str, told: WireEvent, data: bytes, out: list[Delta]) -> None:
        index = told.output_index
        match kind:
            case "response.reasoning_summary_text.delta":
                self._grow(summary_key(index, told.summary_index), "summary_text", told, out)
            case "response.reasoning_text.delta":
                self._grow(content_key(index, told.content_index), "reasoning_text", told, out)
            case "response.refusal.delta":
                self._grow(content_key(index, told.content_index), "refusal", told, out)
            case "response.output_text.annotation.added":
                annotation = annotation_of(told.annotation)
                if annotation is not None:
                    out.append(Annotated(content_key(index, told.content_index), annotation))
            case _ if kind in SNAPSHOTS:
                self._begin(read_fields(told.response), out)
            case _ if kind in ENDINGS:
                self.take_response(told.response, out, ending=kind.removeprefix("response."))
            case _ if kind.endswith(".added"):
                self._take_opening(kind, told, data, out)
            case "response.output_item.done":
                self._close_item(index, told.item, out)
            case _ if kind not in SAID_AGAIN and not kind.startswith(HOSTED):
                self._take_other(kind, data, out)

    def _take_opening(self, kind: str, told: WireEvent, data: bytes, out: list[Delta]) -> None:
        index = told.output_index
        match kind:
            case "response.output_item.added":
                self._open_item(index, read_fields(told.item), out)
            case "response.content_part.added":
                part = read_text(read_fields(told.part).get("type")) or ""
                self._open_part(content_key(index, told.content_index), index, part, out)
            case "response.reasoning_summary_part.added":
                self._open_part(summary_key(index, told.summary_index), index, "summary_text", out)
            case _ if not kind.startswith(HOSTED):
                self._take_other(kind, data, out)
            case _:
                pass

    def _begin(self, response: Fields, out: list[Delta]) -> None:
        if not self._begun:
            self._begun = True
            model, id = read_text(response.get("model")), read_text(response.get("id"))
            out.append(Began(model or None, id or None, family=FAMILY))

    def _open_part(self, key: int, index: int, kind: str, out: list[Delta]) -> bool:
        """Opens what is neither open nor done, and ends what was open in the same item. Whether it is open then."""
        if self._open.get(index) != key and index not in self._closed and kind in _EMPTY:
            self._open_in_item(key, index, _EMPTY[kind], out)
        return self._open.get(index) == key

    def _open_in_item(self, key: int, index: int, part: Part, out: list[Delta]) -> None:
        other = self._open.get(index)
        if other is not None:
            self._ended_before.add(other)
            out.append(Done(other))
        self._open[index] = key
        out.append(Opened(key, part))

    def _grow(self, key: int, kind: str, told: WireEvent, out: list[Delta]) -> None:
        if self._open_part(key, told.output_index, kind, out) and told.delta:
            out.append(RefusalDelta(key, told.delta) if kind == "refusal" else ReasoningDelta(key, told.delta))

    def _open_item(self, index: int, item: Fields, out: list[Delta]) -> None:
        if index in self._closed:
            return
        kind, key = read_text(item.get("type")), call_key(index)
        if kind == "reasoning" and read_text(item.get("encrypted_content")) is not None:
            # It will be signed, so it counts even if no word of it is ever shown.
            key = summary_key(index, 0)
            if self._open.get(index) != key:
                self._open_in_item(key, index, Reasoning("", redacted=True, summary=True), out)
        elif kind in ("function_call", "custom_tool_call") and self._open.get(index) != key:
            call = call_of_item(item)
            if call is not None:
                self._open_in_item(key, index, msgspec.structs.replace(call, arguments="", signature=None), out)

    def _close_item(self, index: int, raw: Raw, out: list[Delta]) -> None:
        if index in self._closed:
            return
        self._closed.add(index)
        open_ = self._open.pop(index, None)
        for place in parts_of_item(read_fields(raw), raw=raw, index=index):
            if place.key == open_:
                open_ = None
                out.append(Done(place.key, place.part))
            elif place.key not in self._ended_before:
                out += [Opened(place.key, place.part), Done(place.key)]
        if open_ is not None:
            out.append(Done(open_))

    def _take_other(self, kind: str, data: bytes, out: list[Delta]) -> None:
        """An error, in the forms it has over a stream or a socket or as a bare object, or what we don't know."""
        data = mend_json(data)
        fields = decode_fields(data, host=self._host)
        nested = fields.get("error")
        told = read_fields(nested) or read_text(nested)
        if kind == "error" or told:
            raise decode_stream_error(told or fields, host=self._host)
        out.append(Unknown(kind or "event", read_json(Raw(data)) or Raw(b"null")))

    def _decode_slowly(self, data: bytes, out: list[Delta]) -> WireEvent:
        mended = mend_json(data)
        fields = decode_fields(mended, host=self._host)
        if mended != data and not self._mended:
            self._mended = True
            out.append(
                Noted("upstream_text_mended", f"{self._host} sent broken Unicode: replaced where it was not readable.")
            )
        return read_event(fields)


def decode_whole(body: bytes, *, host: str) -> list[Delta]:
    """The deltas of an answer that came in one piece."""
    speaker = ResponsesSpeaker(host=host)
    body = mend_json(body)
    fields = decode_fields(body, host=host)
    if "output" not in fields and "status" not in fields and not read_fields(fields.get("error")):
        raise HostAnswerInvalid(
            f"{host} answered with JSON that is no response. Check that its base URL is right.", host=host
        )
    out: list[Delta] = []
    speaker.take_response(Raw(body), out)
    return out
