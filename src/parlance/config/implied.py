"""What follows from the values that were set: hosts, keys, addresses, shared defaults, and what can't be used."""

from collections.abc import Mapping
from urllib.parse import quote

from msgspec import Struct

from parlance.config.entries import Entry, Merged, Source
from parlance.config.errors import Findings
from parlance.config.legacy import (
    DATABASE_PARTS,
    HOSTS_WITHOUT_ADDRESS,
    LOCAL_HOSTS,
    PRINTED_PASSWORD,
    PROVIDER_HOSTS,
    variables_for,
)
from parlance.config.sections.server import ServerSettings, is_loopback
from parlance.config.session_provider import Session
from parlance.config.surroundings import Variables

# A setting of `request` and the one of each provider that it stands for.
REQUEST_DEFAULTS = (
    ("timeout", ("deadlines", "total")),
    ("max_retries", ("max_retries",)),
    ("retry_delay", ("retry_delay",)),
)


class Catalogue(Struct, frozen=True):
    """What is known here of the hosts: a key's variable → its rows, and the ids of all rows."""

    key_variables: Mapping[str, tuple[str, ...]]
    hosts: frozenset[str]

    def variables_of(self, host: str | None) -> list[str]:
        return [name for name, rows in self.key_variables.items() if host in rows]


class Reading(Struct, frozen=True):
    """All that was read, while the tree is not built yet."""

    merged: Merged
    variables: Variables
    catalogue: Catalogue
    session: Session | None
    findings: Findings


def settle(reading: Reading) -> None:
    """Add to the merged values what follows from them. The order matters: each step builds on those before it."""
    leave_claimed_key(reading)
    name_tool_servers(reading.merged)
    open_local_default(reading.merged)
    name_hosts(reading)
    place_local_endpoint(reading.merged)
    find_keys(reading)
    share_request_defaults(reading.merged)
    point_ndjson_door(reading.merged)
    turn_off_unusable(reading)
    name_default_provider(reading)
    check_sign_in(reading)


def database_entry(variables: Variables) -> Entry | None:
    """The database's address, from its parts."""
    parts = {name: found for name in DATABASE_PARTS if (found := variables.get(name))}
    if "DB_HOST" not in parts and "DB_NAME" not in parts:
        return None
    text = {name: quote(found.value, safe="") for name, found in parts.items()}
    user = text.get("DB_USER", "")
    password = f":{text['DB_PASSWORD']}" if "DB_PASSWORD" in text else ""
    login = f"{user}{password}@" if user or password else ""
    server = parts["DB_HOST"].value if "DB_HOST" in parts else "localhost"
    host = f"[{server}]" if ":" in server else server
    address = f"postgresql://{login}{host}:{text.get('DB_PORT', '5432')}/{text.get('DB_NAME', '')}"
    names = ", ".join(parts)
    return Entry(("database_url",), address, Source("environment", names, implied=True), hidden=True)


def leave_claimed_key(reading: Reading) -> None:
    """A key whose variable bears one host's name, set for another host, never travels to the first."""
    session = reading.session
    if session is None or not session.claims_key:
        return
    for provider in reading.merged.names_below("providers"):
        entry = reading.merged.get("providers", provider, "api_key")
        own_address = reading.merged.get("providers", provider, "base_url") is not None
        if provider == "session" or own_address or entry is None:
            continue
        if entry.source.kind != "file" and entry.source.key == session.key_variable:
            reading.merged.drop(entry.path)
            reading.findings.warn(
                "key_claimed",
                f"{session.key_variable} is the key for LLM_BASE_URL, as API_KEY_ENV_VAR says; provider {provider} "
                f"does not get it. To use {provider} too, set PARLANCE_PROVIDERS__{provider.upper()}__API_KEY",
            )


def name_tool_servers(merged: Merged) -> None:
    for server in merged.names_below("mcp", "servers"):
        source = merged.below("mcp", "servers", server)[0].source.implying()
        merged.fill(Entry(("mcp", "servers", server, "name"), server, source))


def open_local_default(merged: Merged) -> None:
    """A host of this machine needs nothing but to be named as the default."""
    asked = merged.get("models", "default_provider")
    if asked is not None and isinstance(asked.value, str) and asked.value in LOCAL_HOSTS:
        merged.fill(Entry(("providers", asked.value, "host"), asked.value, asked.source.implying()))


def name_hosts(reading: Reading) -> None:
    """Without a host: the one that the provider's id is known for; with an address of its own, any compatible one."""
    merged = reading.merged
    for provider in merged.names_below("providers"):
        address = merged.get("providers", provider, "base_url")
        host = PROVIDER_HOSTS.get(provider, provider)
        if address is not None and host not in reading.catalogue.hosts:
            host = "openai_compatible"
        source = (address or merged.below("providers", provider)[0]).source.implying()
        merged.fill(Entry(("providers", provider, "host"), host, source))


def place_local_endpoint(merged: Merged) -> None:
    """An address that ends in `/v1` speaks OpenAI's language; of another one it is found out when it is first used."""
    address = merged.text("providers", "local", "base_url")
    host = merged.get("providers", "local", "host")
    if address and host and host.value == "local" and address.rstrip("/").endswith("/v1"):
        merged.put(Entry(host.path, "openai_compatible", host.source))


def find_keys(reading: Reading) -> None:
    """A provider at its host's own address, without a key of its own, takes the key from the host's variable."""
    claimed = reading.session.key_variable if reading.session and reading.session.claims_key else None
    for provider in reading.merged.names_below("providers"):
        if reading.merged.get("providers", provider, "base_url") is not None:
            continue
        host = reading.merged.text("providers", provider, "host")
        names = [name for name in reading.catalogue.variables_of(host) if name != claimed]
        found = next((variable for name in names if (variable := reading.variables.get(name))), None)
        if found is not None:
            path = ("providers", provider, "api_key")
            reading.merged.fill(Entry(path, found.value, found.source, hidden=True))


def share_request_defaults(merged: Merged) -> None:
    for provider in merged.names_below("providers"):
        for key, path in REQUEST_DEFAULTS:
            entry = merged.get("request", key)
            if entry is not None:
                merged.fill(entry.at(("providers", provider, *path)))


def point_ndjson_door(merged: Merged) -> None:
    """The provider `llm` is the one that the NDJSON service had; its model is that door's default."""
    entries = merged.below("providers", "llm")
    if entries:
        source = entries[0].source.implying()
        merged.fill(Entry(("doors", "ndjson_chat", "provider"), "llm", source))
        model = merged.get("providers", "llm", "model")
        if model is not None and merged.text("doors", "ndjson_chat", "provider") == "llm":
            merged.fill(model.at(("doors", "ndjson_chat", "model")))


def turn_off_unusable(reading: Reading) -> None:
    """A provider that lacks a variable, a key or an address is off, and the others go on. Where no other goes on, a
    lacking variable is an error; so it is everywhere outside of providers."""
    broken = [entry for entry in reading.merged.all() if entry.missing]
    lacking = {entry.path[1] for entry in broken if entry.path[0] == "providers"}
    names = reading.merged.names_below("providers")
    for name in names:
        if name not in lacking and (reason := find_lack(reading, name)):
            put_off(reading, name, reason)
    usable = [name for name in names if name not in lacking and not reading.merged.get("providers", name, "off")]
    for entry in broken:
        if entry.path[0] == "providers" and usable:
            leave_entry(reading, entry)
        else:
            advice = f"set it in the environment or in .env, or write ${{{entry.missing[0]}:-default}}"
            reading.findings.fault(entry.source, f"{tell_missing(entry)}; {advice}")


def tell_missing(entry: Entry) -> str:
    return f"{' and '.join(entry.missing)} {'is' if len(entry.missing) == 1 else 'are'} not set"


def leave_entry(reading: Reading, entry: Entry) -> None:
    """A provider without the value that a variable was to give: off, and so without it still of a valid form."""
    provider = entry.path[1]
    put_off(reading, provider, f"{entry.source}: {tell_missing(entry)}")
    reading.merged.drop(entry.path)
    reading.merged.fill(Entry(("providers", provider, "host"), "openai_compatible", entry.source.implying()))


def find_lack(reading: Reading, provider: str) -> str | None:
    """Why `provider` can't be used, for all that can be known without asking its host."""
    merged = reading.merged
    host = merged.text("providers", provider, "host")
    if host is None or merged.get("providers", provider, "base_url") is not None:
        return None
    if host in HOSTS_WITHOUT_ADDRESS:
        names = (*variables_for(("providers", provider, "base_url")), f"providers.{provider}.base_url")
        return f"it has no address; set {' or '.join(names)}"
    variables = reading.catalogue.variables_of(host)
    if variables and merged.get("providers", provider, "api_key") is None:
        names = (*key_names(reading, provider, variables), f"providers.{provider}.api_key")
        return f"it has no key; set {' or '.join(names)}"
    return None


def key_names(reading: Reading, provider: str, variables: list[str]) -> tuple[str, ...]:
    session = reading.session
    return (session.key_variable,) if provider == "session" and session else tuple(variables)


def put_off(reading: Reading, provider: str, reason: str) -> None:
    merged = reading.merged
    if merged.get("providers", provider, "off") is None:
        source = merged.below("providers", provider)[0].source.implying()
        merged.put(Entry(("providers", provider, "off"), reason, source))
        reading.findings.warn("provider_off", f"provider {provider} is off: {reason}")


def name_default_provider(reading: Reading) -> None:
    """LLM_PROVIDER may name a host rather than a provider: then it is the one that its own variables describe."""
    merged, session = reading.merged, reading.session
    asked = merged.get("models", "default_provider")
    if asked is None or session is None or asked.value in merged.names_below("providers"):
        return
    if asked.value == session.host:
        merged.put(Entry(asked.path, "session", asked.source))


def check_sign_in(reading: Reading) -> None:
    """The console's sign-in takes both halves, and beyond loopback not the password that everybody can read."""
    merged = reading.merged
    halves = merged.below("console")
    if not halves:
        return
    if len(halves) == 1:
        lacks = "password" if halves[0].path[1] == "username" else "username"
        reason = f"{halves[0].source} stands without its {lacks}; set both in .env or YAML, or neither"
    elif merged.text("console", "password") == PRINTED_PASSWORD and not is_loopback(bound_host(merged)):
        source = next(entry.source for entry in halves if entry.path[1] == "password")
        reason = f"{source} is the sample files' own, which is refused beyond loopback; set another"
    else:
        return
    for entry in halves:
        merged.drop(entry.path)
    reading.findings.warn("sign_in_off", f"the console's sign-in is off: {reason}")


def bound_host(merged: Merged) -> str:
    return merged.text("server", "host") or ServerSettings().host
