"""From a host's row, joined with its settings, to the Provider that speaks to it."""

from parlance.core.errors import NoProvider
from parlance.core.provider import HostSpec, Provider
from parlance.net.egress import Egress
from parlance.providers.demo import DEMO_FAMILY, Demo
from parlance.providers.host import Host
from parlance.providers.languages import LANGUAGES


def connect(spec: HostSpec, key: str | None, *, egress: Egress) -> Provider:
    """A provider for one host; nothing is sent yet.

    `NoProvider` when its language is not spoken here, or when the row or the key can't be used.
    """
    if spec.family == DEMO_FAMILY:
        return Demo(spec.name)
    language = LANGUAGES.get(spec.family)
    if language is None:
        raise NoProvider(
            f"The provider {spec.name!r} speaks {spec.family}, which this version of Parlance does not. "
            "If its host has an address that speaks OpenAI's chat completions, set the provider's `host` to "
            "openai_compatible and its `base_url` to that address."
        )
    return Host(spec, language, key, egress=egress)
