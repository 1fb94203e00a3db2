"""The tools that this server runs itself, by name. Where they come from lives elsewhere."""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from parlance.core.principal import Principal
from parlance.core.tool import Tool

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Toolbox:
    """A fixed set of tools, on offer to everybody.

    Names have 1 to 64 letters, digits, `_` and `-`, since some models' hosts take no others.
    """

    def __init__(self, tools: Iterable[Tool], *, enabled: Collection[str] | None = None) -> None:
        """`enabled` names those on offer, None means all. `ValueError` for a bad name, one twice, or one unknown."""
        known: dict[str, Tool] = {}
        for tool in tools:
            name = tool.spec.name
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"A tool can't be named {name[:80]!r}: 1 to 64 letters, digits, `_` and `-` make a name."
                )
            if name in known:
                raise ValueError(f"There are two tools named {name!r}; rename one.")
            known[name] = tool
        unknown = sorted(set(enabled or ()) - set(known))
        if unknown:
            raise ValueError(f"No tool is named {', '.join(unknown)}. There are: {', '.join(known) or 'none'}.")
        self._offered = MappingProxyType(
            {name: tool for name, tool in known.items() if enabled is None or name in enabled}
        )

    def offered(self, principal: Principal) -> Mapping[str, Tool]:
        return self._offered
