"""The four systems' names and ours, in one table; what their values mean where it is not plain. No reading here."""

import re
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from parlance.config.schema import KeyPath

Convert = Callable[[str], object]

SESSION_KEY_VARIABLE = "DEEPSEEK_API_KEY"
SESSION_MODELS: Mapping[str, str] = {"deepseek": "deepseek-chat"}
PRINTED_PASSWORD = "change-me"  # noqa: S105 - the sample files' own, refused beyond loopback


class Vendor(Struct, frozen=True):
    """A host that sells models: its row in the catalogue, its keys' variables, the names of its servers.
    `chat`: an address there, taken as it stands, speaks chat completions."""

    host: str
    variables: tuple[str, ...]
    servers: tuple[str, ...]
    chat: bool = True


VENDORS = (
    Vendor("openai", ("OPENAI_API_KEY",), ("api.openai.com",)),
    Vendor("anthropic", ("ANTHROPIC_API_KEY",), ("api.anthropic.com",), chat=False),
    Vendor("gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("generativelanguage.googleapis.com",), chat=False),
    Vendor("deepseek", ("DEEPSEEK_API_KEY",), ("api.deepseek.com",)),
    Vendor("openrouter", ("OPENROUTER_API_KEY",), ("openrouter.ai",)),
    Vendor("groq", ("GROQ_API_KEY",), ("api.groq.com",)),
    Vendor("mistral", ("MISTRAL_API_KEY",), ("api.mistral.ai",)),
    Vendor("xai", ("XAI_API_KEY",), ("api.x.ai",)),
    Vendor("together", ("TOGETHER_API_KEY",), ("api.together.xyz", "api.together.ai")),
    Vendor("fireworks", ("FIREWORKS_API_KEY",), ("api.fireworks.ai",)),
)
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {name: (vendor.host,) for vendor in VENDORS for name in vendor.variables}

# What a provider's id says of its host where no host is given.
PROVIDER_HOSTS: Mapping[str, str] = {"llm": "openai_compatible"}
HOSTS_WITHOUT_ADDRESS = frozenset({"openai_compatible", "local", "private"})
LOCAL_HOSTS = frozenset({"ollama", "lm_studio", "llama_cpp", "vllm"})
KNOWN_HOSTS = frozenset({vendor.host for vendor in VENDORS} | HOSTS_WITHOUT_ADDRESS | LOCAL_HOSTS)
# What LLM_PROVIDER may call a host besides its id: the names of the libraries that its users had.
HOST_NICKNAMES: Mapping[str, str] = {"google": "gemini", "google_genai": "gemini"}
DEFAULT_ORDER = ("openai", "anthropic", "gemini", "llm", "session", "local", "private")


def lower(text: str) -> str:
    return text.strip().lower()


def with_scheme(text: str) -> str:
    return text if "://" in text else f"http://{text}"


def ollama_address(text: str) -> str:
    """What Ollama's own programs take for an address: a host, perhaps with a port; all interfaces mean this machine."""
    scheme, separator, rest = text.strip().rpartition("://")
    host, slash, path = rest.partition("/")
    host = host.replace("0.0.0.0", "127.0.0.1")
    if not host or host.startswith(":"):
        host = f"127.0.0.1{host}"
    port = "" if separator or re.search(r"(^[^:]+|\]):\d+$", host) else ":11434"
    return f"{scheme or 'http'}://{host}{port}{slash}{path}"


def with_version(text: str) -> str:
    """An OpenAI-compatible server's address, given with or without its `/v1`."""
    address = with_scheme(text).rstrip("/")
    return address if address.endswith("/v1") else f"{address}/v1"


def debug_level(text: str) -> str | None:
    match lower(text):
        case "true" | "1" | "yes" | "on":
            return "DEBUG"
        case "false" | "0" | "no" | "off":
            return None
        case _:
            raise ValueError("must be true or false")


class Name(Struct, frozen=True):
    """A variable and the path it means. `only`: it counts in `.env` and not in the environment."""

    variable: str
    path: KeyPath
    convert: Convert | None = None
    only: Literal["dotenv"] | None = None


def name(variable: str, path: str, convert: Convert | None = None, only: Literal["dotenv"] | None = None) -> Name:
    return Name(variable, tuple(path.split(".")), convert, only)


# Of two names for one path, the upper one holds.
ENVIRONMENT = (
    name("SERVER_HOST", "server.host"),
    name("SERVER_PORT", "server.port"),
    name("HOST", "server.host"),
    name("PORT", "server.port"),
    name("LOG_LEVEL", "logging.level"),
    name("DATABASE_URL", "database_url"),
    name("REDIS_URL", "redis_url"),
    name("DEFAULT_LLM_PROVIDER", "models.default_provider", lower),
    name("DEFAULT_MODEL", "models.default"),
    name("OPENAI_API_KEY", "providers.openai.api_key"),
    name("OPENAI_API_BASE_URL", "providers.openai.base_url"),
    name("ANTHROPIC_API_KEY", "providers.anthropic.api_key"),
    name("GEMINI_API_KEY", "providers.gemini.api_key"),
    name("OLLAMA_BASE_URL", "providers.ollama.base_url", with_scheme),
    name("OLLAMA_HOST", "providers.ollama.base_url", ollama_address),
    name("LOCAL_LLM_ENDPOINT", "providers.local.base_url", with_scheme),
    name("PRIVATE_CLOUD_ENDPOINT", "providers.private.base_url", with_scheme),
    name("PRIVATE_CLOUD_API_KEY", "providers.private.api_key"),
    name("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint", with_scheme),
    name("OTEL_SERVICE_NAME", "telemetry.service_name"),
    # Systems set USERNAME themselves: from there it says nothing.
    name("USERNAME", "console.username", only="dotenv"),
    name("PASSWORD", "console.password", only="dotenv"),
)

# Variables whose name is a path in a file of the same system: LLM__MAX_TOKENS is llm.max_tokens.
NESTED_PREFIXES = ("LLM__",)

# A key, or a whole section, of a file and its place in our tree; the longest one that fits holds.
FILE_KEYS: Mapping[KeyPath, tuple[KeyPath, Convert | None]] = {
    ("host",): (("server", "host"), None),
    ("port",): (("server", "port"), None),
    ("username",): (("console", "username"), None),
    ("password",): (("console", "password"), None),
    ("openai",): (("providers", "openai"), None),
    ("anthropic",): (("providers", "anthropic"), None),
    ("gemini",): (("providers", "gemini"), None),
    ("llm",): (("providers", "llm"), None),
    ("llm", "host"): (("providers", "llm", "base_url"), with_version),
    ("llm", "timeout_seconds"): (("providers", "llm", "deadlines", "idle"), None),
    ("llm", "debug"): (("providers", "llm", "log_level"), debug_level),
}
FOREIGN_SECTIONS = frozenset(path[0] for path in FILE_KEYS)
# Sections that both the four systems and Parlance have: whose they are depends on the file.
SHARED_SECTIONS = frozenset({"server", "mcp", "logging", "request", "database"})
ALIASED_PATHS = (("server", "host"), ("server", "port"), ("console", "username"), ("console", "password"))

DATABASE_PARTS = ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME")
LAYERED_FILES = ("resources/config.{APP_ENV}.yaml", "resources/config.yaml")
DEFAULT_APP_ENV = "local"


def translate_key(path: KeyPath) -> tuple[KeyPath, Convert | None]:
    """Where a file's key stands in our tree."""
    for length in range(len(path), 0, -1):
        if found := FILE_KEYS.get(path[:length]):
            target, convert = found
            return (*target, *path[length:]), convert
    return path, None


def variables_for(path: KeyPath) -> tuple[str, ...]:
    """The variables that set `path`, for saying what to set."""
    flat = tuple(row.variable for row in ENVIRONMENT if row.path == path)
    nested = tuple("__".join(key).upper() for key, (target, _) in FILE_KEYS.items() if target == path and len(key) > 1)
    return (*flat, *nested)


def vendor_at(address: str) -> Vendor | None:
    """Whose server an address names."""
    try:
        server = urlsplit(address).hostname
    except ValueError:
        return None
    return next((vendor for vendor in VENDORS if server in vendor.servers), None)


def server_id(server_name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", server_name.lower()).strip("_")


def map_servers(listed: list[object]) -> dict[str, object]:
    """A list of tool servers as a map by id; `ValueError` where one has no name, or two the same."""
    servers: dict[str, object] = {}
    for place, server in enumerate(listed, 1):
        if not isinstance(server, dict) or not isinstance(server.get("name"), str) or not server_id(server["name"]):
            raise ValueError(f"number {place} has no name; give each server a name")
        key = server_id(server["name"])
        if key in servers:
            raise ValueError(f"two servers are named {server['name']}; give each its own name")
        servers[key] = server
    return servers
