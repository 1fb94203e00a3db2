"""From a host's row, joined with its settings, to the Provider that speaks to it."""

from yarl import URL

from parlance.core.errors import NoProvider
from parlance.core.provider import HostSpec, Provider
from parlance.net.egress import Egress, Way
from parlance.providers.demo import DEMO_FAMILY, Demo
from parlance.providers.host import Host
from parlance.providers.langchain.asking import FAMILY as LANGCHAIN_FAMILY
from parlance.providers.langchain.provider import open_langchain
from parlance.providers.languages import LANGUAGES
from parlance.providers.undecided import Undecided


def connect(spec: HostSpec, key: str | None, *, egress: Egress) -> Provider:
    """A provider for one host; nothing is sent yet.

    `NoProvider` when its language is not spoken here, or when the row, the key or the operator's file can't be used.
    """
    if spec.family == DEMO_FAMILY:
        return Demo(spec.name)
    if spec.family == LANGCHAIN_FAMILY:
        return open_langchain(spec)
    if spec.alternative is not None:
        return _connect_either(spec, key, egress=egress)
    return _connect_host(spec, key, egress=egress)


def _connect_host(spec: HostSpec, key: str | None, *, egress: Egress) -> Host:
    language = LANGUAGES.get(spec.family)
    if language is None:
        raise NoProvider(
            f"The provider {spec.name!r} speaks {spec.family}, which this version of Parlance does not. "
            "If its host has an address that speaks OpenAI's chat completions, set the provider's `host` to "
            "openai_compatible and its `base_url` to that address."
        )
    return Host(spec, language, key, egress=egress)


def _connect_either(spec: HostSpec, key: str | None, *, egress: Egress) -> Provider:
    usual = _connect_host(spec, key, egress=egress)
    if spec.alternative is None:
        return usual
    other = spec.alternative.spec
    way = Way(host=spec.name, connect=spec.deadlines.connect, proxy=spec.proxy, ca_file=spec.ca_file)
    sign = URL(f"{other.base_url.rstrip('/')}/{spec.alternative.path}")
    return Undecided(usual, _connect_host(other, key, egress=egress), sign=sign, way=way, egress=egress)
