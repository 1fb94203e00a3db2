"""What goes out through this language and comes in again is its published projection, and nothing else."""

import pytest
from hypothesis import given

from parlance.core.deltas import Delta, Finished
from parlance.dialects.openai_chat.projection import project
from parlance.dialects.openai_chat.serve import TurnChunks
from parlance.dialects.openai_chat.speak import LANGUAGE
from tests.golden.transcripts import read
from tests.strategies.steps import Step, assemble, steps


def deltas_of(step: Step) -> list[Delta]:
    chunks = TurnChunks(created=0, include_usage=True)
    body = b"".join(chunks.encode([event]) for event in step.events)
    return list(read(LANGUAGE, body, quirks=frozenset()))


@pytest.mark.requirement("openai_chat:law")
@given(steps())
def test_a_step_comes_back_as_its_projection(step: Step) -> None:
    assert assemble(deltas_of(step)) == project(step.message)


@given(steps())
def test_the_projection_is_idempotent(step: Step) -> None:
    once = project(step.message)
    assert project(once) == once
    assert (once.finish, once.usage) == (step.message.finish, step.message.usage)


@given(steps())
def test_events_told_in_one_batch_or_one_by_one_make_the_same_bytes(step: Step) -> None:
    whole = TurnChunks(created=0, include_usage=False).encode(step.events)
    chunks = TurnChunks(created=0, include_usage=False)
    assert b"".join(chunks.encode([event]) for event in step.events) == whole


@given(steps())
def test_finished_is_the_last_delta_and_comes_once(step: Step) -> None:
    deltas = deltas_of(step)
    assert [isinstance(delta, Finished) for delta in deltas] == [False] * (len(deltas) - 1) + [True]
