"""A part while it grows. Used by the assembler alone."""

import msgspec

from parlance.core.events import (
    ArgumentsGrew,
    Event,
    Growth,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    Runner,
    TextGrew,
    Warned,
)
from parlance.core.parts import Annotation, Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall

PIECES = 1_000
"""That an open part keeps one by one."""


class OpenPart:
    """`what` is the part as it was opened, without its prose: that is kept in pieces, and joined at the end."""

    __slots__ = ("_pieces", "_signature", "_tidied", "_whole", "annotations", "implicit", "number", "runner", "what")

    def __init__(self, number: int, part: Part, *, implicit: bool, runner: Runner | None = None) -> None:
        self.number = number
        self.what = _skeleton(part)
        self.implicit = implicit
        self.runner = runner
        self._pieces: list[str] = []
        self._tidied: list[str] = []
        self.annotations: list[Annotation] = list(part.annotations) if isinstance(part, Text) else []
        self._whole = part
        self._signature: Signature | None = None

    def opening(self) -> PartOpened:
        return PartOpened(self.number, self.what, self.runner)

    def grow(self, text: str) -> Growth:
        self.add(text)
        match self.what:
            case ToolCall():
                return ArgumentsGrew(self.number, text)
            case Reasoning():
                return ReasoningGrew(self.number, text)
            case Refusal():
                return RefusalGrew(self.number, text)
            case _:
                return TextGrew(self.number, text)

    def add(self, text: str) -> None:
        self._pieces.append(text)
        if len(self._pieces) > PIECES:
            # Many pieces weigh several times what is in them.
            self._tidied.append("".join(self._pieces))
            self._pieces.clear()

    def show_content(self) -> list[Event]:
        """What the part already held when it was opened, as growth."""
        content = _content(self._whole)
        return [self.grow(clean(content))] if content else []

    def complete(self, whole: Part) -> list[Event]:
        """Take what the whole adds: a missing tail, a signature, annotations.

        What contradicts the part as shown loses.
        """
        if isinstance(self.what, Kept):
            if isinstance(whole, Kept):
                self.what = whole
            return []
        if type(whole) is not type(self.what):
            return [self._contradiction()]
        self._adopt(whole)
        shown, content = self._grown(), clean(_content(whole))
        if not content.startswith(shown):
            return [self._contradiction()] if content else []
        return [self.grow(content[len(shown) :])] if len(content) > len(shown) else []

    def sign(self, signature: Signature) -> None:
        self._signature = signature

    def closing(self) -> PartClosed:
        return PartClosed(self.number, self._closed())

    def _adopt(self, whole: Part) -> None:
        if isinstance(whole, Text) and len(whole.annotations) > len(self.annotations):
            self.annotations = list(whole.annotations)
        if isinstance(whole, Text | Reasoning | ToolCall) and whole.signature is not None:
            self._signature = whole.signature

    def _contradiction(self) -> Warned:
        return Warned(
            "part_contradicted", f"Part {self.number} came again with other content; what was shown first stands."
        )

    def _grown(self) -> str:
        return "".join((*self._tidied, *self._pieces))

    def _closed(self) -> Part:
        grown = self._grown()
        match self.what:
            case Text(signature=signed):
                return Text(grown, tuple(self.annotations), self._signature or signed, self.what.cache)
            case Reasoning(signature=signed, redacted=redacted):
                still_redacted = redacted and not grown
                return msgspec.structs.replace(
                    self.what, text=grown, signature=self._signature or signed, redacted=still_redacted
                )
            case Refusal():
                return Refusal(grown)
            case ToolCall(signature=signed):
                return msgspec.structs.replace(self.what, arguments=grown, signature=self._signature or signed)
            case whole:
                return whole


def _skeleton(part: Part) -> Part:
    match part:
        case Text() | Reasoning() | Refusal():
            return msgspec.structs.replace(part, text="") if part.text else part
        case ToolCall():
            return msgspec.structs.replace(part, arguments="") if part.arguments else part
        case _:
            return part


def _content(part: Part) -> str:
    match part:
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return text
        case ToolCall(arguments=arguments):
            return arguments
        case _:
            return ""


def clean(text: str) -> str:
    """Text that every store and wire takes: NUL and lone surrogates become U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
