"""What the operator set for a provider, where the caller said nothing: a system prompt, sampling, a length."""

import msgspec
from msgspec import Struct

from parlance.core.messages import system_message
from parlance.core.requests import Request, Sampling


class Defaults(Struct, frozen=True):
    """None: not set, the host decides."""

    system_prompt: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output: int | None = None


def fill(request: Request, defaults: Defaults) -> Request:
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
