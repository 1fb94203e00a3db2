"""What the operator set counts where the caller said nothing."""

from parlance.core.messages import system_message, user_message
from parlance.core.requests import Request, Sampling
from parlance.engine.prepare.preparer import prepare
from parlance.engine.prepare.provider_defaults import Defaults, ProviderDefaults
from tests.unit.engine.prepare.facts import FACTS

HI = user_message("Hi")
SET = Defaults(system_prompt="Be kind.", temperature=0.2, top_p=0.9, max_output=100)


async def prepared(request: Request, defaults: dict[str, Defaults]) -> Request:
    return (await ProviderDefaults(defaults).prepare(request, FACTS)).request


async def test_defaults_fill_what_was_not_said() -> None:
    request = await prepared(Request("fast", (HI,)), {"lab": SET})
    assert [(message.role, message.text) for message in request.messages] == [("system", "Be kind."), ("user", "Hi")]
    assert request.sampling == Sampling(temperature=0.2, top_p=0.9)
    assert request.max_output == 100


async def test_what_the_caller_said_counts() -> None:
    said = Sampling(temperature=0.0, top_p=1.0, top_k=5, seed=7, stop=("END",))
    request = await prepared(
        Request("fast", (system_message("Be brief."), HI), sampling=said, max_output=5), {"lab": SET}
    )
    assert [message.text for message in request.messages] == ["Be brief.", "Hi"]
    assert request.sampling == said
    assert request.max_output == 5


async def test_another_providers_defaults_do_not_count() -> None:
    request = Request("fast", (HI,))
    assert await prepared(request, {"other": SET}) is request


async def test_nothing_set_changes_nothing() -> None:
    request = Request("fast", (HI,), sampling=Sampling(seed=7, stop=("END",)))
    assert await prepared(request, {"lab": Defaults()}) == request


async def test_preparers_work_one_after_the_other_on_what_the_one_before_made() -> None:
    first, second = ProviderDefaults({"lab": SET}), ProviderDefaults({"lab": Defaults(temperature=2.0, max_output=9)})
    done = await prepare(Request("fast", (HI,)), FACTS, [first, second])
    assert done.request.sampling.temperature == 0.2
    assert done.request.max_output == 100
    assert done.notices == ()
