"""Where a part grows in this language: the events it grows by, and what stays the same in all of them."""

from typing import Final

from msgspec import Struct

from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_responses.wire import FAMILY

CALLS: Final = frozenset({"function_call_arguments", "custom_tool_call_input"})
IDS: Final = {
    "output_text": "msg",
    "refusal": "msg",
    "reasoning_summary_text": "rs",
    "function_call_arguments": "fc",
    "custom_tool_call_input": "fc",
    "kept": "item",
}
INDEXES: Final = {"output_text": "content_index", "refusal": "content_index", "reasoning_summary_text": "summary_index"}
_PLACES: Final = {
    channel: b',"%b":0,"delta":' % INDEXES[channel].encode() if channel in INDEXES else b',"delta":' for channel in IDS
}
TAILS: Final = {channel: b',"logprobs":[]}\n\n' if channel == "output_text" else b"}\n\n" for channel in IDS}


class Told(Struct):
    """A part that is being told: where it stands, and what stays the same in all frames of its growth."""

    index: int
    id: str
    channel: str
    head: bytes = b""
    place: bytes = b""
    begun: bool = False
    grown: bool = False
    annotated: int = 0


def tell_part(index: int, channel: str, *, turn: str) -> Told:
    id = f"{IDS[channel]}_parlance_{turn}_{index}"
    kind = f"response.{channel}.delta".encode()
    head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (kind, kind)
    place = b',"item_id":%b,"output_index":%d%b' % (encode_json(id), index, _PLACES[channel])
    return Told(index, id, channel, head, place)


def channel_of(part: Part) -> str | None:
    match part:
        case Text():
            return "output_text"
        case Refusal():
            return "refusal"
        case Reasoning():
            return "reasoning_summary_text"
        case ToolCall(freeform=freeform):
            return "custom_tool_call_input" if freeform else "function_call_arguments"
        case Kept(family=family) if family == FAMILY:
            return "kept"
        case _:
            return None


def text_of(part: Part) -> str:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return text
        case ToolCall(arguments=arguments):
            return arguments
        case _:
            return ""
