"""One answer as it is read: frames in, what is new in them out. Pure; who sends and reconnects is `client`."""

from collections.abc import Iterator

import msgspec

from parlance.cli.chat.heard import Heard, HeardPart, HeardSnapshot, decode_call, decode_result, decode_warning
from parlance.cli.chat.told import CallTold, Ended, ReasoningTold, ResultTold, Started, TextTold, Told, Warned

TURN_NOT_FOUND = "turn_not_found"


class AnswerReading:
    """`cursor` is where to resume. Nothing is told twice, also where a snapshot tells all over again."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.turn_id: str | None = None
        self.cursor: str | None = None
        self.text = ""
        self._reasoning = ""
        self._calls: set[str] = set()
        self._results: set[str] = set()

    def concerns(self, frame: Heard) -> bool:
        """Whether it belongs to this answer: also an error that no request is named in, as for a missing key."""
        unnamed = frame.request_id is None and frame.rejected_request_id is None and frame.status == "error"
        return frame.request_id == self.request_id or unnamed

    def take(self, frame: Heard) -> list[Told]:
        """What the frame tells, in order; an `Ended` is the last there will be."""
        begins = self.turn_id is None and frame.turn_id is not None
        self.turn_id = frame.turn_id or self.turn_id
        self.cursor = frame.cursor or self.cursor
        told: list[Told] = [Started(self.request_id, frame.turn_id)] if begins and frame.turn_id else []
        match frame.status:
            case "chunk":
                told += self._chunk(frame)
            case "snapshot":
                told += self._catch_up(frame.snapshot)
            case "complete" | "error":
                told.append(self._ending(frame))
            case _:
                pass
        return told

    def lose(self, code: str, message: str) -> Ended:
        """The ending of an answer that can't be followed any further."""
        status = "failed" if self.turn_id is None else "incomplete"
        return Ended(status, self.request_id, self.turn_id, self.cursor, code=code, message=message)

    def _chunk(self, frame: Heard) -> Iterator[Told]:
        data = frame.chunk.data
        match frame.chunk.type:
            case "text":
                self.text += data
                yield TextTold(data)
            case "reasoning":
                self._reasoning += data
                yield ReasoningTold(data)
            case "tool_call":
                call = decode_call(data)
                self._calls.add(call.id)
                yield CallTold(call.id, call.name, call.arguments, call.runner)
            case "tool_result":
                result = decode_result(data)
                self._results.add(result.tool_call_id)
                yield ResultTold(result.tool_call_id, result.output, result.error)
            case "warning":
                warning = decode_warning(data)
                yield Warned(warning.code, warning.message)
            case _:
                pass

    def _ending(self, frame: Heard) -> Ended:
        metadata = frame.metadata
        message = frame.error
        if frame.status == "complete" and metadata.reason is not None:
            message = f"The server gave the answer up: {metadata.reason}."
        return Ended(
            status=metadata.status or ("completed" if frame.status == "complete" else "failed"),
            request_id=self.request_id,
            turn_id=self.turn_id,
            cursor=self.cursor,
            finish=metadata.finish_reason,
            usage=metadata.usage,
            model=metadata.model,
            provider=metadata.provider,
            code=frame.code or metadata.reason,
            message=message,
            retry_after=frame.retry_after,
        )

    def _catch_up(self, snapshot: HeardSnapshot) -> Iterator[Told]:
        """What a snapshot has beyond what was told. Where both differ, it is told whole, and said so."""
        whole = "".join(part.text for part in snapshot.parts if part.kind in ("text", "refusal"))
        if not whole.startswith(self.text):
            self.text = ""
            yield Warned(
                "answer_replaced", "What came before is not what the server has; here it is from its beginning."
            )
        places = {"prose": 0, "reasoning": 0}
        for part in snapshot.parts:
            match part.kind:
                case "text" | "refusal":
                    yield from self._catch_up_text(part.text, places)
                case "reasoning":
                    yield from self._catch_up_reasoning(part.text, places)
                case "tool_call" if part.id not in self._calls:
                    self._calls.add(part.id)
                    yield CallTold(part.id, part.name, part.arguments, "server")
                case "tool_result" if part.call_id not in self._results:
                    self._results.add(part.call_id)
                    yield _result_of(part)

    def _catch_up_text(self, text: str, places: dict[str, int]) -> Iterator[Told]:
        new = text[max(0, len(self.text) - places["prose"]) :]
        places["prose"] += len(text)
        if new:
            self.text += new
            yield TextTold(new)

    def _catch_up_reasoning(self, text: str, places: dict[str, int]) -> Iterator[Told]:
        new = text[max(0, len(self._reasoning) - places["reasoning"]) :]
        places["reasoning"] += len(text)
        if new:
            self._reasoning += new
            yield ReasoningTold(new)


def _result_of(part: HeardPart) -> ResultTold:
    """Of a result that is more than text, its JSON."""
    raw = bytes(part.output)
    output = msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()
    return ResultTold(part.call_id, None if part.is_error else output, output if part.is_error else None)
