"""Callers as a door sees them, and what the gate refuses them with."""

from parlance.core.errors import AccessError
from parlance.core.principal import Caller, Gate


def caller(
    headers: dict[str, str] | None = None, *, peer: str | None = "127.0.0.1", method: str = "POST", path: str = "/chat"
) -> Caller:
    return Caller({"host": "127.0.0.1:8000"} | (headers or {}), peer, method, path)


def site_refusal(gate: Gate, asking: Caller) -> AccessError | None:
    try:
        gate.check_site(asking)
    except AccessError as error:
        return error
    return None


def key_refusal(gate: Gate, asking: Caller) -> AccessError | None:
    try:
        gate.authenticate(asking)
    except AccessError as error:
        return error
    return None
