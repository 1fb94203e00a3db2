"""The provider `session`, which the JSON-RPC service's variables describe: a key, an address, a model.

Law: a key goes only to the host it was set for. So without an address the address follows the key's variable."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from parlance.config.entries import Entry, Source
from parlance.config.errors import Findings
from parlance.config.legacy import (
    HOST_NICKNAMES,
    SESSION_KEY_VARIABLE,
    SESSION_MODELS,
    VENDORS,
    Vendor,
    lower,
    vendor_at,
)
from parlance.config.surroundings import Variable, Variables

SIGNS = ("API_KEY_ENV_VAR", "LLM_BASE_URL", "LLM_MODEL_NAME", SESSION_KEY_VARIABLE)


class Session(Struct, frozen=True):
    """`asked`: the variable that names the key's variable, where one does."""

    host: str
    key_variable: str
    asked: Variable | None
    address: Variable | None

    @property
    def claims_key(self) -> bool:
        """Whether the key was set for another host than the one its variable is named after."""
        if self.asked is None or self.address is None:
            return False
        vendor = vendor_at(self.address.value)
        return vendor is None or self.key_variable not in vendor.variables


def find_session(variables: Variables, hosts: Mapping[str, tuple[str, ...]], findings: Findings) -> Session | None:
    """What the variables mean, or None if none of them is set. `hosts`: a key's variable → the rows it belongs to."""
    asked, address, named = variables.get("API_KEY_ENV_VAR"), variables.get("LLM_BASE_URL"), named_host(variables)
    if not any(named in rows for rows in hosts.values()) and not any(variables.get(sign) for sign in SIGNS):
        return None
    vendor = vendor_at(address.value) if address else None
    if asked is not None:
        key_variable = asked.value
    else:
        names = vendor.variables if vendor else [name for name, rows in hosts.items() if named in rows]
        key_variable = first_set(variables, names or (SESSION_KEY_VARIABLE,))
    if address is not None:
        host = host_at(vendor, named)
    elif key_variable in hosts:
        rows = hosts[key_variable]
        host = named if named in rows else rows[0]
    else:
        place = asked.source if asked else "API_KEY_ENV_VAR"
        findings.fault(place, f"names {key_variable}, and whose key that is isn't known; set LLM_BASE_URL too")
        return None
    return Session(host, key_variable, asked, address)


def named_host(variables: Variables) -> str:
    """The host that LLM_PROVIDER names; empty if it is not set."""
    named = lower(variables.text("LLM_PROVIDER") or "")
    return HOST_NICKNAMES.get(named, named)


def first_set(variables: Variables, names: Sequence[str]) -> str:
    """Of several names for one thing, the first that is set; if none is, the usual one."""
    return next((name for name in names if variables.get(name)), names[0])


def host_at(vendor: Vendor | None, named: str) -> str:
    """What an address speaks: a vendor's own language if LLM_PROVIDER names one that has it, else chat completions."""
    if any(named == other.host and not other.chat for other in VENDORS):
        return named
    return vendor.host if vendor is not None and vendor.chat else "openai_compatible"


def provider_entry(variables: Variables) -> Entry | None:
    """The default provider as LLM_PROVIDER names it: weaker than DEFAULT_LLM_PROVIDER, wherever the two stand."""
    named = variables.get("LLM_PROVIDER")
    return Entry(("models", "default_provider"), named_host(variables), named.source) if named else None


def session_entries(session: Session, variables: Variables) -> Iterator[Entry]:
    above = ("providers", "session")
    key, model = variables.get(session.key_variable), variables.get("LLM_MODEL_NAME")
    cause = next(
        (
            found.source
            for found in (session.address, session.asked, key, model, variables.get("LLM_PROVIDER"))
            if found
        ),
        Source("default"),
    ).implying()
    yield Entry((*above, "host"), session.host, cause)
    if session.address is not None:
        yield Entry((*above, "base_url"), session.address.value, session.address.source)
    if key is not None:
        yield Entry((*above, "api_key"), key.value, key.source, hidden=True)
    if model is not None:
        yield Entry((*above, "model"), model.value, model.source)
    elif session.host in SESSION_MODELS:
        yield Entry((*above, "model"), SESSION_MODELS[session.host], cause)
    yield Entry(("doors", "json_rpc", "provider"), "session", cause)
    if model is not None:
        yield Entry(("doors", "json_rpc", "model"), model.value, model.source)
