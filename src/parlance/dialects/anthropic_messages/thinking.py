"""How a model is asked to think: by a budget, by an effort, or not at all, as its generation takes it."""

from typing import Final

from parlance.core.requests import Effort, ReasoningAsk, Request
from parlance.dialects.anthropic_messages.content_out import Listener
from parlance.dialects.anthropic_messages.messages_out import History
from parlance.dialects.anthropic_messages.wire_requests import (
    BlockBinding,
    OutputConfig,
    RedactedBlock,
    Thinking,
    ThinkingBlock,
    WireRequest,
)

_LEAST: Final = 1_024
_BUDGETS: Final[dict[Effort, int]] = {
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 49_152,
}
"""Tokens for an effort, where a model knows only budgets."""
_LADDER: Final[tuple[Effort, ...]] = ("low", "medium", "high", "xhigh", "max")
_BINDING: Final = ("anthropic-beta", "thinking-binding-controls-2026-08-01")


def add_thinking(wire: WireRequest, request: Request, to: Listener, history: History) -> None:
    """Set what is asked of the model's thinking, within what it takes together with the rest of the request."""
    asked, can = request.reasoning, to.can
    if is_quiet(asked):
        _be_quiet(wire, to)
        return
    if asked.effort is not None:
        _set_effort(wire, asked.effort, to)
    if asked.effort is None and asked.budget is None:
        # Nobody asked for more thought, but the newest hide what they think unless told otherwise.
        wire.thinking = Thinking("adaptive", display="summarized") if asked.show and can.unasked else None
    elif can.budget and (asked.budget is not None or not can.adaptive):
        wire.thinking = _budget(wire, _wanted(asked), to)
    elif can.adaptive:
        if asked.budget is not None:
            to.losses.add("reasoning_budget_dropped", f"{to.model} decides itself how much it thinks: no budget.")
        wire.thinking = Thinking("adaptive", display="summarized" if asked.show and not can.budget else None)
    else:
        to.losses.add("reasoning_dropped", f"{to.model} does not think before it answers.")
    _keep_possible(wire, to, history)


def is_quiet(asked: ReasoningAsk) -> bool:
    """Whether no thinking is wanted."""
    return asked.effort == "none" or asked.budget == 0


def _wanted(asked: ReasoningAsk) -> int:
    """Tokens to think with. A budget below zero leaves them to the model, which this language can't."""
    given = asked.budget or 0
    return given if given > 0 else _BUDGETS[asked.effort or "medium"]


def bind_thinking(wire: WireRequest, to: Listener) -> tuple[tuple[str, str], ...]:
    """The headers by which thoughts that no longer fit the history before them are left out instead of refused.

    Histories are trimmed and instructions change; the newer models would refuse the whole request for it.
    """
    if not to.can.bound or not any(
        isinstance(block, ThinkingBlock | RedactedBlock)
        for message in wire.messages
        if isinstance(message.content, list)
        for block in message.content
    ):
        return ()
    wire.thinking = wire.thinking or Thinking("adaptive")
    wire.thinking.block_binding = BlockBinding("drop_block")
    return (_BINDING,)


def _be_quiet(wire: WireRequest, to: Listener) -> None:
    if not to.can.unasked:
        return
    if to.can.quiet is None:
        to.losses.add("reasoning_kept", f"{to.model} always thinks: it was asked for the least effort instead.")
        _configure(wire, "low")
    else:
        wire.thinking = Thinking(to.can.quiet)


def _set_effort(wire: WireRequest, asked: Effort, to: Listener) -> None:
    if not to.can.efforts:
        return
    wanted = "low" if asked in ("minimal", "none") else asked
    reach = _LADDER[: _LADDER.index(wanted) + 1]
    effort = next(one for one in reversed(reach) if one in to.can.efforts)
    if effort != wanted:
        to.losses.add("reasoning_effort_cut", f"{to.model} does not take the effort {asked!r}: {effort!r} instead.")
    _configure(wire, effort)


def _configure(wire: WireRequest, effort: Effort) -> None:
    wire.output_config = wire.output_config or OutputConfig()
    wire.output_config.effort = effort


def _budget(wire: WireRequest, wanted: int, to: Listener) -> Thinking | None:
    """A budget lies between the least there is and the whole answer's length."""
    most = wire.max_tokens - 1
    if most < _LEAST:
        to.losses.add(
            "reasoning_dropped", f"{to.model} needs {_LEAST} tokens to think, more than the whole answer may have."
        )
        return None
    budget = min(max(wanted, _LEAST), most)
    if budget != wanted:
        to.losses.add("reasoning_budget_cut", f"{to.model} thinks with {_LEAST} to {most} tokens: {budget} it is.")
    return Thinking("enabled", budget)


def _keep_possible(wire: WireRequest, to: Listener, history: History) -> None:
    """Thinking gives way where it can't go together with the rest."""
    if wire.thinking is None or wire.thinking.type not in ("enabled", "adaptive"):
        return
    forced = wire.tool_choice is not None and wire.tool_choice.type in ("any", "tool")
    if forced and to.can.forced == "without_thinking":
        to.losses.add("reasoning_dropped", f"{to.model} can't think and be made to call a tool: it does not think.")
        wire.thinking = None
    elif wire.thinking.type == "enabled" and not history.begins_thinking():
        to.losses.add("reasoning_dropped", f"{to.model} can't begin to think in the middle of its turn with tools.")
        wire.thinking = None
    elif wire.thinking.type == "enabled" and wire.messages[-1].role == "assistant":
        to.losses.add("reasoning_dropped", f"{to.model} can't think and go on from a text put into its mouth.")
        wire.thinking = None
