"""What a message asks of the demo: its words taken apart into a script. Pure; how it is played is in `demo`.

A script is written as commands at the beginning of lines, `/name` with arguments, several in a line if they are short:

    /reason           think aloud first
    /call NAME {...}  call a tool that is on offer, with these arguments; several commands are parallel calls
    /words N          answer with N words
    /slow SECONDS     wait that long before each word
    /length           stop as if at the limit of the output
    /filter           stop as if by a content filter
    /refuse           decline
    /cut N            break off after N words, as a host that dies
    /fail [KIND]      fail at once: unreachable (default), rate_limited, timeout, rejected, key, quota or invalid
    /hang             never answer

A call may also be said in words: `call NAME(...)`, where the brackets hold JSON, `key=value` pairs, or nothing.
Whatever is no command is the question.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

Failure = Literal["unreachable", "rate_limited", "timeout", "rejected", "key", "quota", "invalid"]

MAX_WORDS: Final = 10_000
MAX_SLOW: Final = 60.0

_SWITCHES: dict[str, dict[str, object]] = {
    "reason": {"reason": True},
    "length": {"finish": "length"},
    "filter": {"finish": "filtered"},
    "refuse": {"refuse": True},
    "hang": {"hang": True},
}
_COMMAND = re.compile(r"/(reason|call|words|slow|length|filter|refuse|cut|fail|hang)\b[ \t]*")
_NAME = re.compile(r"[\w.-]+")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SPOKEN_CALL = re.compile(r"\bcall\s+([\w.-]+)\s*\(", re.IGNORECASE)
_PAIR = re.compile(r"\s*([A-Za-z_]\w*)\s*[=:]\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,]*?)\s*(?:,|$)")


class CallLine(Struct, frozen=True):
    """A call that a message asks for; `arguments` is JSON text, exactly as it was given where it was JSON."""

    name: str
    arguments: str


class DemoScript(Struct, frozen=True, kw_only=True):
    """How one answer is to go. `question` is what is left of the message without its commands."""

    question: str = ""
    reason: bool = False
    calls: tuple[CallLine, ...] = ()
    words: int | None = None
    slow: float = 0.0
    finish: Literal["stop", "length", "filtered"] = "stop"
    refuse: bool = False
    cut: int | None = None
    fail: Failure | None = None
    hang: bool = False


def read_script(message: str) -> DemoScript:
    """The script that a message asks for. Never fails: what can't be understood is part of the question."""
    reading = _Reading()
    for line in message.split("\n"):
        reading.read_line(line)
    question = "\n".join(reading.rest).strip()
    calls = reading.calls or list(_spoken_calls(question))
    return replace(reading.script, question=question, calls=tuple(calls))


class _Reading:
    def __init__(self) -> None:
        self.script = DemoScript()
        self.calls: list[CallLine] = []
        self.rest: list[str] = []

    def read_line(self, line: str) -> None:
        text = line.strip()
        while command := _COMMAND.match(text):
            text = self._read_command(command[1], text[command.end() :]).lstrip()
        if text or not line.strip():
            self.rest.append(text)

    def _read_command(self, name: str, rest: str) -> str:
        """Read one command and its arguments; the text behind them."""
        script = self.script
        match name:
            case "call":
                return self._read_call(rest)
            case "words":
                number, rest = _number(rest, default=5)
                self.script = replace(script, words=min(int(number), MAX_WORDS))
            case "cut":
                number, rest = _number(rest, default=5)
                self.script = replace(script, cut=min(int(number), MAX_WORDS))
            case "slow":
                number, rest = _number(rest, default=0.2)
                self.script = replace(script, slow=min(number, MAX_SLOW))
            case "fail":
                failure, rest = _failure(rest)
                self.script = replace(script, fail=failure)
            case _:
                self.script = replace(script, **_SWITCHES[name])
        return rest

    def _read_call(self, rest: str) -> str:
        name = _NAME.match(rest)
        if name is None:
            return rest
        arguments, rest = _json_object(rest[name.end() :].lstrip())
        self.calls.append(CallLine(name[0], arguments))
        return rest


def _failure(rest: str) -> tuple[Failure, str]:
    for kind in get_args(Failure):
        if re.match(rf"{kind}\b", rest):
            return kind, rest[len(kind) :]
    return "unreachable", rest


def _number(rest: str, *, default: float) -> tuple[float, str]:
    found = _NUMBER.match(rest)
    return (float(found[0]), rest[found.end() :]) if found else (default, rest)


def _json_object(text: str) -> tuple[str, str]:
    """The JSON object that a text begins with, as it stands, and what is behind it."""
    if not text.startswith("{"):
        return "{}", text
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return "{}", text
    return text[:end], text[end:]


def _spoken_calls(question: str) -> Iterator[CallLine]:
    for found in _SPOKEN_CALL.finditer(question):
        inside = _inside(question[found.end() :])
        if inside is not None:
            yield CallLine(found[1], _spoken_arguments(inside))


def _inside(text: str) -> str | None:
    """The text up to the bracket that closes, quoted ones left out; None without one."""
    depth, quote = 1, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if not depth:
                return text[:at]
    return None


def _spoken_arguments(inside: str) -> str:
    arguments, rest = _json_object(inside.strip())
    if inside.strip().startswith("{") and not rest.strip():
        return arguments
    return json.dumps({name: _spoken_value(value) for name, value in _PAIR.findall(inside)}, ensure_ascii=False)


def _spoken_value(text: str) -> object:
    if text[:1] == "'" == text[-1:] and len(text) > 1:
        return text[1:-1]
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
