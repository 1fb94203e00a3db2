"""The catalogue: every host we know, one row each. How its language is spoken stands in `dialects`."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from parlance.core.errors import NoProvider
from parlance.core.parts import Family
from parlance.core.provider import Alternative, Deadlines, HostSpec, PythonObject

WITHOUT_ADDRESS = frozenset({"demo", "langchain"})
"""Families that are no hosts on a network."""

LOADING = 600.0
"""Seconds to the first delta at a local host: it may have to load the model."""


class HostRow(Struct, frozen=True, kw_only=True):
    """A host. `base_url` is what comes before `/chat/completions`, or its like; None where the operator must say it.

    `key_variables` are the environment's names for its key, the usual one first. `quirks`: what it does otherwise, in
    the words of its language. `default_model` None: the first that it lists. `local`: it runs on the operator's own
    machine; `probe`: it is looked for there. `endings`: what operators write behind its address that is no part of it,
    since it has other APIs, too.
    `price_list`: what the price library calls it; None where its prices are not public, or there are none.
    `alternative`: a path, and the row that holds instead where an address without a version answers it.
    """

    id: str
    title: str
    base_url: str | None = None
    key_variables: tuple[str, ...] = ()
    default_model: str | None = None
    family: Family = "openai_chat"
    quirks: frozenset[str] = frozenset()
    key_header: str = "authorization"
    headers: tuple[tuple[str, str], ...] = ()
    local: bool = False
    probe: bool = False
    price_list: str | None = None
    endings: tuple[str, ...] = ()
    alternative: tuple[str, str] | None = None


class HostSetup(Struct, frozen=True, kw_only=True):
    """What the operator says of one provider; what is left out comes from the row. Deadlines in seconds."""

    base_url: str | None = None
    model: str | None = None
    models: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str | None = None
    ca_file: str | None = None
    made_by: PythonObject | None = None
    connect: float = 5.0
    first: float | None = None
    idle: float = 60.0
    total: float = 600.0


# Quirks that come together. What most servers share is asked of those, too, that we know nothing of.
_OPENAI = frozenset({"strict_fields"})
_WIDELY = frozenset({"max_tokens_field", "no_allowed_tools"})
# The version in which every model takes what it ever took; a quirk asks for the newer one.
_ANTHROPIC_VERSION = (("anthropic-version", "2023-06-01"),)

HOSTS: tuple[HostRow, ...] = (
    HostRow(
        id="openai",
        title="OpenAI",
        price_list="openai",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        default_model="gpt-4o-mini",
        quirks=_OPENAI,
    ),
    HostRow(
        id="openai_responses",
        title="OpenAI, by its responses API",
        price_list="openai",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        default_model="gpt-5.4-mini",
        family="openai_responses",
    ),
    HostRow(
        id="open_responses",
        title="any server that speaks Open Responses",
        family="openai_responses",
        quirks=frozenset({"no_encrypted_reasoning"}),
    ),
    HostRow(
        id="azure_openai",
        title="Azure OpenAI",
        price_list="azure",
        key_variables=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        quirks=_OPENAI,
    ),
    HostRow(
        id="anthropic",
        title="Anthropic",
        price_list="anthropic",
        base_url="https://api.anthropic.com/v1",
        key_variables=("ANTHROPIC_API_KEY",),
        default_model="claude-sonnet-5-5",
        family="anthropic_messages",
        key_header="x-api-key",
        headers=_ANTHROPIC_VERSION,
    ),
    HostRow(
        id="anthropic_2026_10_21",
        title="Anthropic, in its API's version 2026-10-21",
        price_list="anthropic",
        base_url="https://api.anthropic.com/v1",
        key_variables=("ANTHROPIC_API_KEY",),
        default_model="claude-sonnet-5-5",
        family="anthropic_messages",
        quirks=frozenset({"version_2026_10_21"}),
        key_header="x-api-key",
        headers=_ANTHROPIC_VERSION,
    ),
    HostRow(
        id="anthropic_compatible",
        title="any server that speaks Anthropic's API",
        family="anthropic_messages",
        key_header="x-api-key",
        headers=_ANTHROPIC_VERSION,
    ),
    HostRow(
        id="gemini",
        title="Google Gemini",
        price_list="google",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        default_model="gemini-flash-latest",
        family="gemini",
        key_header="x-goog-api-key",
    ),
    HostRow(
        id="deepseek",
        title="DeepSeek",
        price_list="deepseek",
        base_url="https://api.deepseek.com/v1",
        key_variables=("DEEPSEEK_API_KEY",),
        default_model="deepseek-flash",
        # It thinks unasked, and then refuses histories in which a call lacks the thoughts that led to it.
        quirks=_WIDELY | {"send_reasoning_back"},
    ),
    HostRow(
        id="openrouter",
        title="OpenRouter",
        price_list="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        default_model="openrouter/auto",
        quirks=frozenset({"cache_marks", "no_allowed_tools"}),
    ),
    HostRow(
        id="groq",
        title="Groq",
        price_list="groq",
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        default_model="openai/gpt-oss-120b",
        quirks=frozenset({"strict_fields", "no_allowed_tools"}),
    ),
    HostRow(
        id="mistral",
        title="Mistral",
        price_list="mistral",
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        default_model="mistral-large-latest",
        quirks=_WIDELY | {"no_stream_options", "strict_fields", "short_call_ids", "random_seed"},
    ),
    HostRow(
        id="xai",
        title="xAI",
        price_list="x-ai",
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        default_model="grok-4.3",
        quirks=frozenset({"no_allowed_tools"}),
    ),
    HostRow(
        id="together",
        title="Together",
        price_list="together",
        base_url="https://api.together.ai/v1",
        key_variables=("TOGETHER_API_KEY",),
        default_model="openai/gpt-oss-120b",
        quirks=_WIDELY,
    ),
    HostRow(
        id="fireworks",
        title="Fireworks",
        price_list="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        default_model="accounts/fireworks/models/gpt-oss-120b",
        quirks=_WIDELY,
    ),
    HostRow(
        id="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434",
        family="ollama",
        quirks=frozenset({"think_tags"}),
        local=True,
        probe=True,
        endings=("/v1", "/api"),
    ),
    HostRow(
        id="lm_studio", title="LM Studio", base_url="http://127.0.0.1:1234/v1", local=True, probe=True, quirks=_WIDELY
    ),
    HostRow(
        id="llama_cpp", title="llama.cpp", base_url="http://127.0.0.1:8080/v1", local=True, probe=True, quirks=_WIDELY
    ),
    HostRow(id="vllm", title="vLLM", base_url="http://127.0.0.1:8000/v1", local=True, probe=True, quirks=_WIDELY),
    HostRow(id="openai_compatible", title="any server that speaks OpenAI's API", quirks=_WIDELY),
    HostRow(
        id="local",
        title="a local server that speaks OpenAI's API, or Ollama's own",
        local=True,
        quirks=_WIDELY,
        alternative=("api/version", "ollama"),
    ),
    HostRow(id="private", title="a private cloud that speaks OpenAI's API", quirks=_WIDELY),
    HostRow(id="langchain", title="a LangChain chat model from a file of yours", family="langchain"),
    HostRow(id="demo", title="Parlance's own offline demonstration", family="demo", default_model="demo"),
)

_BY_ID: Mapping[str, HostRow] = {row.id: row for row in HOSTS}
# Of several APIs of one host the upper row is meant by its key alone.
_BY_KEY_VARIABLE: Mapping[str, HostRow] = {name: row for row in reversed(HOSTS) for name in row.key_variables}


def find_host(id: str) -> HostRow | None:
    return _BY_ID.get(id)


def host_of_key_variable(name: str) -> HostRow | None:
    """The host whose key a variable of this name holds. A key goes to no other host."""
    return _BY_KEY_VARIABLE.get(name)


def join_host(name: str, row: HostRow, setup: HostSetup) -> HostSpec:
    """The row and what the operator says, together; `name` is the provider's id. `NoProvider` without an address.

    A server on this machine counts as local whatever its row is called: it may have to load a model first, too.
    """
    base_url = _without_ending(setup.base_url or row.base_url, row.endings)
    if base_url is None and row.family not in WITHOUT_ADDRESS:
        raise NoProvider(f"The provider {name!r} has no address. Set its `base_url` to that of {row.title}.")
    models = setup.models
    if setup.made_by is not None and not models:
        models = (setup.model or setup.made_by.name,)
    local = row.local or _is_on_this_machine(base_url)
    first = setup.first if setup.first is not None else (LOADING if local else Deadlines().first)
    return HostSpec(
        name=name,
        family=row.family,
        base_url=base_url or "",
        key_header=row.key_header,
        headers=row.headers + setup.headers,
        models=models,
        default_model=setup.model or (models[0] if models else row.default_model),
        quirks=row.quirks,
        deadlines=Deadlines(connect=setup.connect, first=first, idle=setup.idle, total=setup.total),
        proxy=setup.proxy,
        ca_file=setup.ca_file,
        local=local,
        price_list=row.price_list,
        exact=bool(row.endings),
        alternative=_alternative(name, row, setup),
        made_by=setup.made_by,
    )


def _alternative(name: str, row: HostRow, setup: HostSetup) -> Alternative | None:
    """None where the address says its language by its version."""
    if row.alternative is None or (setup.base_url or "").rstrip("/").endswith("/v1"):
        return None
    path, other = row.alternative
    return Alternative(path, join_host(name, _BY_ID[other], setup))


def _without_ending(base_url: str | None, endings: tuple[str, ...]) -> str | None:
    bare = (base_url or "").rstrip("/")
    ending = next((one for one in endings if bare.endswith(one)), None)
    return base_url if ending is None else bare.removesuffix(ending)


def _is_on_this_machine(base_url: str | None) -> bool:
    host = urlsplit(base_url or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
