"""Every language to every other: a conversation goes on, whoever answered before."""

from itertools import product

import msgspec
import pytest

from parlance.core.messages import user_message
from parlance.testing.voices.table import VOICES
from tests.contract.journeys import SURVIVORS, answer_of, as_request, opening, proofs, sent, survivors
from tests.contract.languages import SPOKEN

PAIRS = list(product(SPOKEN, SPOKEN))
ALWAYS = {"system prompt", "image", "text", "calls", "results"}
"""What no change of provider may cost."""


@pytest.mark.parametrize(("first", "then"), PAIRS, ids=str)
def test_a_conversation_goes_on_with_any_other_model(first: str, then: str) -> None:
    request = sent(first, then)
    assert VOICES[then].wants(request) == "answer"
    assert VOICES[then].complaint_about(request) is None
    assert set(survivors(first, then)) >= ALWAYS


@pytest.mark.parametrize(("first", "then"), [pair for pair in PAIRS if pair[0] != pair[1]], ids=str)
def test_no_model_is_sent_the_proofs_of_another(first: str, then: str) -> None:
    body = sent(first, then).body
    assert not [proof for proof in proofs(answer_of(first).parts) if proof.encode() in body]


@pytest.mark.parametrize("family", ["anthropic_messages", "gemini", "openai_responses"])
def test_a_model_gets_its_own_proofs_back_as_they_were(family: str) -> None:
    body, own = sent(family, family).body, proofs(answer_of(family).parts)
    assert own
    assert all(proof.encode() in body for proof in own)
    assert survivors(family, family) == SURVIVORS


@pytest.mark.parametrize("family", SPOKEN)
def test_a_call_that_was_never_answered_is_answered_for_the_next_model(family: str) -> None:
    request = opening()
    open_call = msgspec.structs.replace(request, messages=(*request.messages, answer_of(family), user_message("Well?")))
    encoded = SPOKEN[family].language.encode_request(open_call, host=family, quirks=frozenset())
    assert VOICES[family].complaint_about(as_request(family, encoded)) is None
    assert b"not answered" in encoded.body


@pytest.mark.parametrize("family", SPOKEN)
def test_the_strict_upstream_is_strict(family: str) -> None:
    """What the tests above hold against it is not accepted whatever it is."""
    encoded = SPOKEN[family].language.encode_request(opening(), host=family, quirks=frozenset())
    empty = msgspec.structs.replace(encoded, body=b"{}")
    assert VOICES[family].complaint_about(as_request(family, encoded)) is None
    assert VOICES[family].complaint_about(as_request(family, empty)) is not None
