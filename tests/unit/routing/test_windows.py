"""Windows of models: the operator's word over the host's, the host's over the library's."""

import asyncio

import pytest

from parlance.core.provider import Provider
from parlance.routing.windows import MOST, KnownWindows
from parlance.testing.provider import ScriptedProvider


class SizedProvider(ScriptedProvider):
    """Its host says this of every model."""

    def __init__(self, name: str, tokens: int | None) -> None:
        super().__init__([], name=name)
        self.tokens = tokens

    async def window(self, model: str) -> int | None:
        return self.tokens


PROVIDERS: dict[str, Provider] = {
    "lab": SizedProvider("lab", 32_768),
    "silent": SizedProvider("silent", None),
    "cloud": ScriptedProvider([], name="cloud"),
}
WINDOWS = KnownWindows(PROVIDERS, {"lab/small": 2_048, "cloud": 64_000}, {"silent": "openai", "open": "openai"})


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("lab", "small", 2_048),
        ("lab", "large", 32_768),
        ("cloud", "any", 64_000),
        ("silent", "gpt-4o-mini", 128_000),
        ("open", "gpt-4o-mini-2024-07-18", 128_000),
        ("open", "a-model-that-nobody-knows", None),
        ("open", "whisper-1", None),
        ("unheard-of", "gpt-4o-mini", None),
    ],
)
@pytest.mark.requirement("shaping:windows")
async def test_who_knows_it_best_is_believed(provider: str, model: str, tokens: int | None) -> None:
    assert await WINDOWS.window(provider, model) == tokens


async def test_the_library_is_asked_once_for_a_model_and_not_on_the_loop() -> None:
    windows = KnownWindows({}, {}, {"open": "openai"})
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    assert await windows.window("open", "gpt-4o-mini") == 128_000
    beside.cancel()
    assert turns
    before = turns
    assert await windows.window("open", "gpt-4o-mini") == 128_000
    assert turns == before


async def test_only_so_many_models_are_remembered() -> None:
    windows = KnownWindows({}, {}, {"open": "openai"})
    for number in range(MOST + 10):
        await windows.window("open", f"made-up-{number}")
    assert len(windows._listed) == MOST
