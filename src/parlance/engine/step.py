"""One model call: deltas in, events and a message out."""

from contextlib import aclosing
from functools import partial

from parlance.core.deltas import TextDelta
from parlance.core.errors import TruncatedAnswer
from parlance.core.estimate import estimate_usage, usage_of_cut
from parlance.core.ids import new_message_id
from parlance.core.messages import Message, Origin
from parlance.core.parts import ToolCall
from parlance.core.provider import open_stream
from parlance.core.requests import Request
from parlance.core.usage import add_usage
from parlance.engine.assemble import Assembler
from parlance.engine.turn_state import Turn


async def run_step(turn: Turn, request: Request) -> Message:
    """Ask the model once.

    A step that began ends on every path, with what was shown; errors of the provider pass through.
    """
    provider = turn.target.provider
    assembler = Assembler(
        step=turn.next_step,
        origin=Origin(provider.name, request.model, provider.family),
        first_part=turn.next_part,
        runner_of=turn.runner_of,
        taken={part.id for message in turn.messages for part in message.parts if isinstance(part, ToolCall)},
    )
    message_id = new_message_id()
    try:
        async with aclosing(open_stream(provider, request, partial(_hear, turn, assembler))) as batches:
            async for deltas in batches:
                turn.tell(assembler.feed(deltas))
        if assembler.finish is None:
            raise TruncatedAnswer(f"{provider.name} stopped without saying that it had finished.", host=provider.name)
    finally:
        turn.tell(assembler.close())
        if assembler.finish is None and assembler.parts:
            assembler.usage = usage_of_cut(assembler.usage, estimate_usage(request, assembler.parts))
        turn.tell(assembler.end(message_id))
        turn.next_step = assembler.step + 1
        turn.next_part = assembler.next_part
        turn.usage = add_usage(turn.usage, assembler.usage)
    return assembler.message(message_id)


def _hear(turn: Turn, assembler: Assembler, delta: TextDelta) -> bool:
    """Tell a piece of text where it arrives; nobody has to be woken for it."""
    grown = None if turn.stopped else assembler.grow(delta)
    if grown is None:
        return False
    # Not by `tell`: those who watch the turn are not shown growth.
    turn.log.append((grown,))
    return True
