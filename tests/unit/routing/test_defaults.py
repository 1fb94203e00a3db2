"""What the operator set for a provider counts where the caller said nothing, and for no other provider."""

from contextlib import aclosing

import pytest

from parlance.core.errors import HostFailed
from parlance.core.messages import system_message, user_message
from parlance.core.requests import Request, Sampling
from parlance.routing.candidates import Candidate
from parlance.routing.defaults import Defaults, fill
from parlance.routing.route import Route
from parlance.testing.provider import ScriptedProvider, answering
from tests.unit.routing.surroundings import Surroundings

HI = user_message("Hi")
SET = Defaults(system_prompt="Be kind.", temperature=0.2, top_p=0.9, max_output=100)


def test_defaults_fill_what_was_not_said() -> None:
    request = fill(Request("fast", (HI,)), SET)
    assert [(message.role, message.text) for message in request.messages] == [("system", "Be kind."), ("user", "Hi")]
    assert request.sampling == Sampling(temperature=0.2, top_p=0.9)
    assert request.max_output == 100


def test_what_the_caller_said_counts() -> None:
    said = Sampling(temperature=0.0, top_p=1.0, top_k=5, seed=7, stop=("END",))
    request = fill(Request("fast", (system_message("Be brief."), HI), sampling=said, max_output=5), SET)
    assert [message.text for message in request.messages] == ["Be brief.", "Hi"]
    assert request.sampling == said
    assert request.max_output == 5


def test_nothing_set_changes_nothing() -> None:
    request = Request("fast", (HI,), sampling=Sampling(seed=7, stop=("END",)))
    assert fill(request, Defaults()) == request


@pytest.mark.parametrize("set_for", ["first", "second"])
async def test_each_provider_of_a_route_is_asked_with_its_own(set_for: str) -> None:
    asked = Request("both", (HI,))
    first = ScriptedProvider([HostFailed("down")], name="first")
    second = ScriptedProvider(answering("Hi"), name="second")
    parts = Surroundings(defaults={set_for: SET}).parts
    async with aclosing(Route([Candidate(first, "m"), Candidate(second, "m")], parts).stream(asked)) as batches:
        async for _ in batches:
            pass
    for one in (first, second):
        (request,) = one.requests
        expected = fill(asked, SET) if one.name == set_for else asked
        assert (request.sampling, request.max_output) == (expected.sampling, expected.max_output)
        assert [message.text for message in request.messages] == [message.text for message in expected.messages]
