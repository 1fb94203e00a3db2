"""Who may call, with which key."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from parlance.config.sections.fields import HeaderSecret, ListOf, MapOf, Name, Section, empty_map

SHORTEST_KEY = 8
SCOPE = re.compile(r"admin|service|subtenant:\S{1,255}")
HASHED = re.compile(r"sha256:[0-9a-fA-F]{64}")


def check_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value()
    if key.startswith("sha256:"):
        if not HASHED.fullmatch(key):
            raise ValueError("must be sha256: and the 64 hexadecimal digits of the key's hash")
    elif len(key) < SHORTEST_KEY or " " in key:
        raise ValueError(f"must have at least {SHORTEST_KEY} characters and no spaces, or be given as sha256:…")
    return secret


def check_scope(value: str) -> str:
    if not SCOPE.fullmatch(value):
        raise ValueError("must be admin, service, or subtenant: and its id")
    return value


class KeySettings(Section):
    """One key, plain or as `sha256:<hex>`. `models` unset: all of them."""

    key: Annotated[HeaderSecret, AfterValidator(check_key)]
    scope: Annotated[str, AfterValidator(check_scope)] = "service"
    models: ListOf[Name] | None = None


class AccessSettings(Section):
    """`open`: beyond loopback too, nobody needs a key. `host_names`: names, each with a port or without, that clients
    know this server by."""

    open: bool = False
    host_names: ListOf[Name] = ()
    keys: MapOf[KeySettings] = Field(default_factory=empty_map)

    @model_validator(mode="after")
    def refuse_one_key_twice(self) -> "AccessSettings":
        owners: dict[str, str] = {}
        for name, entry in self.keys.items():
            first = owners.setdefault(entry.key.get_secret_value(), name)
            if first != name:
                raise ValueError(f"keys {first} and {name} are the same key; give each its own")
        return self
