"""Which provider answers when a client names none."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from parlance.config.legacy import DEFAULT_ORDER, variables_for
from parlance.config.settings import Settings

DEMO = "demo"

Why = Literal["asked", "configured", "discovered", "demo", "none"]


class DefaultProvider(Struct, frozen=True):
    """`provider` is None iff `why` is `none`; `text` says what was chosen and why, or what to set."""

    provider: str | None
    why: Why
    text: str


def choose_default(settings: Settings, discovered: Sequence[str]) -> DefaultProvider:
    """The default among the configured providers, then what was found on this machine, then `demo`.

    `discovered`: ids of the hosts found, the best first. `demo` only where no provider is set in any way and the
    server is bound to loopback: a mistyped key must not end in made-up answers.
    """
    if asked := asked_provider(settings):
        return choose_asked(settings, asked, discovered)
    usable = settings.usable_providers
    order = [
        *(name for name in DEFAULT_ORDER if name in usable),
        *(name for name in usable if name not in DEFAULT_ORDER),
    ]
    if order:
        return DefaultProvider(order[0], "configured", f"{order[0]} is the first provider that is set")
    if settings.providers:
        return DefaultProvider(None, "none", f"no provider can be used: {tell_off(settings)}")
    if discovered:
        return DefaultProvider(discovered[0], "discovered", f"{discovered[0]} was found on this machine")
    if settings.server.loopback:
        return DefaultProvider(DEMO, "demo", "no provider is set, so demo answers")
    return DefaultProvider(
        None, "none", "no provider is set; set one, such as OPENAI_API_KEY or providers in parlance.yaml"
    )


def asked_provider(settings: Settings) -> str | None:
    """The one that was named, by itself or before the slash of the default model's name."""
    if settings.models.default_provider:
        return settings.models.default_provider
    before, slash, _ = (settings.models.default or "").partition("/")
    return before if slash and before in settings.providers else None


def choose_asked(settings: Settings, asked: str, discovered: Sequence[str]) -> DefaultProvider:
    if asked in settings.usable_providers or asked in discovered or asked == DEMO:
        return DefaultProvider(asked, "asked", f"{asked} is set as the default")
    if asked in settings.providers:
        return DefaultProvider(None, "none", f"the default provider can't be used: {tell_off(settings, asked)}")
    names = ", ".join(settings.providers) or "none"
    settings_of = (("providers", asked, "api_key"), ("providers", asked, "base_url"))
    variables = [name for path in settings_of for name in variables_for(path)]
    advice = f"set {' or '.join(variables) or f'providers.{asked} in parlance.yaml'}"
    text = f"the default provider {asked} is not set; {advice}, or name one of those that are ({names})"
    return DefaultProvider(None, "none", text)


def tell_off(settings: Settings, only: str | None = None) -> str:
    chosen = {name: provider.off for name, provider in settings.providers.items() if only in (None, name)}
    return "; ".join(f"{name}: {reason}" for name, reason in chosen.items())
