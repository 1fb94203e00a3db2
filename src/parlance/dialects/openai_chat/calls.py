"""Fragments of tool calls joined into calls, also where a host leaves out what they are joined by."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from parlance.core.deltas import ArgumentsDelta, Delta, Noted, Opened, Signed
from parlance.core.ids import CallId, new_call_id
from parlance.core.parts import ToolCall
from parlance.dialects.openai_chat.thoughts import decode_signature
from parlance.dialects.openai_chat.wire import CallFragment


class _Call(Struct):
    key: int
    id: str | None
    freeform: bool
    name: str = ""
    opened: bool = False
    arguments: list[str] = []

    def is_whole(self) -> bool:
        try:
            msgspec.json.decode("".join(self.arguments), type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True


class CallJoiner:
    """The calls of one answer, numbered in the order they came.

    A fragment belongs to the call of its index, else of its id, else to the last one; one with a name begins another
    call when its id is another, or, where there are no ids, when the call it would belong to is complete.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._ids: set[str] = set()

    def take(self, fragments: Iterable[CallFragment], out: list[Delta]) -> None:
        for fragment in fragments:
            call = self._find(fragment)
            if call is None or _begins_another(call, fragment):
                call = self._add(fragment)
            self._grow(call, fragment, out)

    def close(self) -> list[Delta]:
        return [
            Noted("call_without_name", "The model's host sent a tool call without a name: left out.")
            for call in self._calls
            if not call.opened
        ]

    def _find(self, fragment: CallFragment) -> _Call | None:
        if fragment.index is not None:
            return self._by_index.get(fragment.index)
        if fragment.id:
            known = next((call for call in reversed(self._calls) if call.id == fragment.id), None)
            if known is not None or _name(fragment):
                return known
        return self._calls[-1] if self._calls else None

    def _add(self, fragment: CallFragment) -> _Call:
        call = _Call(len(self._calls), fragment.id, fragment.custom is not None)
        self._calls.append(call)
        if fragment.index is not None:
            self._by_index[fragment.index] = call
        return call

    def _grow(self, call: _Call, fragment: CallFragment, out: list[Delta]) -> None:
        arguments = _arguments(fragment)
        if arguments:
            call.arguments.append(arguments)
        if call.opened:
            if arguments:
                out.append(ArgumentsDelta(call.key, arguments))
            signature = decode_signature(fragment.extra_content)
            if signature is not None:
                out.append(Signed(call.key, signature))
            return
        call.name = _name(fragment)
        call.id = call.id or fragment.id
        if call.name:
            self._open(call, fragment, out)

    def _open(self, call: _Call, fragment: CallFragment, out: list[Delta]) -> None:
        call.opened = True
        mint = not call.id or call.id in self._ids
        self._ids.add(call.id or "")
        skeleton = ToolCall(
            id=new_call_id() if mint else CallId(call.id or ""),
            name=call.name,
            arguments="",
            signature=decode_signature(fragment.extra_content),
            freeform=call.freeform,
            upstream_id=(call.id or None) if mint else None,
        )
        out.append(Opened(call.key, skeleton))
        if call.arguments:
            out.append(ArgumentsDelta(call.key, "".join(call.arguments)))


def _begins_another(call: _Call, fragment: CallFragment) -> bool:
    name = _name(fragment)
    if not name or not call.name:
        return False
    if fragment.id and call.id:
        return fragment.id != call.id
    return name != call.name or (bool(_arguments(fragment)) and call.is_whole())


def _name(fragment: CallFragment) -> str:
    of = fragment.function or fragment.custom
    return (of.name or "") if of is not None else ""


def _arguments(fragment: CallFragment) -> str:
    if fragment.custom is not None:
        return fragment.custom.input or ""
    return (fragment.function.arguments or "") if fragment.function is not None else ""
