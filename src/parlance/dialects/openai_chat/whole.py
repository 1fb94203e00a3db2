"""The answer in one piece, for clients that did not ask for a stream."""

from collections.abc import Iterable

from msgspec import Raw, Struct

from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    StepDropped,
    StepEnded,
    StepStarted,
    ToolCalled,
    TurnEnded,
    TurnStarted,
)
from parlance.core.parts import Part, Reasoning, Refusal, Text, ToolCall
from parlance.dialects.openai_chat.thoughts import encode_signature
from parlance.dialects.openai_chat.told import (
    ToldUsage,
    encode,
    tell_annotations,
    tell_call,
    tell_finish,
    tell_proof,
    tell_usage,
)
from parlance.dialects.openai_chat.wire import CallFragment, ExtraContent


class _Message(Struct, frozen=True):
    role: str
    content: str | None
    refusal: str | None


class _FullMessage(_Message, frozen=True, omit_defaults=True):
    reasoning_content: str | None = None
    reasoning_details: list[Raw] | None = None
    annotations: list[Raw] | None = None
    tool_calls: list[CallFragment] | None = None
    extra_content: ExtraContent | None = None


class _Choice(Struct, frozen=True):
    index: int
    message: _FullMessage
    logprobs: None
    finish_reason: str


class _Completion(Struct, frozen=True):
    id: str
    object: str
    created: int
    model: str
    choices: list[_Choice]
    usage: ToldUsage | None


class _Fold:
    """The steps that stand, and the calls that the client is to carry out."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.id = self.model = ""
        self.raw: str | None = None
        self.ended = TurnEnded("incomplete")
        self._steps: dict[int, dict[int, Part]] = {}
        self._clients: set[str] = set()
        for event in events:
            self._take(event)

    @property
    def parts(self) -> list[Part]:
        told = [part for step in self._steps.values() for _, part in sorted(step.items())]
        return [part for part in told if not isinstance(part, ToolCall) or part.id in self._clients]

    def _take(self, event: Event) -> None:
        match event:
            case TurnStarted(turn=turn, model=model):
                self.id, self.model = f"chatcmpl-{turn}", model
            case StepStarted(step=step, origin=origin):
                self._steps[step] = {}
                self.model = origin.model or self.model
            case PartOpened(what=ToolCall(id=id), runner="client") | ToolCalled(call=ToolCall(id=id), runner="client"):
                self._clients.add(id)
            case PartClosed(part=part, what=what):
                self._steps.setdefault(max(self._steps, default=0), {})[part] = what
            case StepDropped(step=step):
                self._steps.pop(step, None)
            case StepEnded(raw=raw):
                self.raw = raw
            case TurnEnded():
                self.ended = event
            case _:
                pass


def encode_answer(events: Iterable[Event], *, created: int) -> bytes:
    """The `chat.completion` of a turn that is completed; of any other, tell its fault instead.

    `created` is in seconds since 1970.
    """
    turn = _Fold(events)
    usage = tell_usage(turn.ended.usage) if turn.ended.usage is not None else None
    choice = _Choice(0, _message(turn.parts), None, tell_finish(turn.ended.finish, turn.raw))
    return encode(_Completion(turn.id, "chat.completion", created, turn.model, [choice], usage))


def _message(parts: list[Part]) -> _FullMessage:
    texts = [part for part in parts if isinstance(part, Text)]
    thoughts = [part for part in parts if isinstance(part, Reasoning)]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal)) or None
    content = "".join(part.text for part in texts)
    signed = [part for part in texts if part.signature is not None]
    return _FullMessage(
        role="assistant",
        content=content or (None if calls or refusal else ""),
        refusal=refusal,
        reasoning_content="".join(part.text for part in thoughts) or None,
        reasoning_details=[entry for part in thoughts for entry in tell_proof(part, text=part.text) or ()] or None,
        annotations=[data for part in texts for data in tell_annotations(part) or ()] or None,
        tool_calls=[tell_call(call, index=None) for call in calls] or None,
        extra_content=encode_signature(signed[-1]) if signed else None,
    )
