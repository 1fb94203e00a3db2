"""What the operator set for a provider, where the caller said nothing: a system prompt, sampling, a length."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from parlance.core.messages import system_message
from parlance.core.observers import TurnFacts
from parlance.core.requests import Request, Sampling
from parlance.engine.prepare.preparer import Prepared


class Defaults(Struct, frozen=True):
    """None: not set, the host decides."""

    system_prompt: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output: int | None = None


class ProviderDefaults:
    """Defaults by the provider's configured id."""

    def __init__(self, defaults: Mapping[str, Defaults]) -> None:
        self._defaults = defaults

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
        defaults = self._defaults.get(facts.provider)
        if defaults is None:
            return Prepared(request)
        return Prepared(_fill(request, defaults))


def _fill(request: Request, defaults: Defaults) -> Request:
    asked = request.sampling
    messages = request.messages
    if defaults.system_prompt and not any(message.role == "system" for message in messages):
        messages = (system_message(defaults.system_prompt), *messages)
    return msgspec.structs.replace(
        request,
        messages=messages,
        sampling=Sampling(
            temperature=defaults.temperature if asked.temperature is None else asked.temperature,
            top_p=defaults.top_p if asked.top_p is None else asked.top_p,
            top_k=asked.top_k,
            seed=asked.seed,
            stop=asked.stop,
        ),
        max_output=defaults.max_output if request.max_output is None else request.max_output,
    )
