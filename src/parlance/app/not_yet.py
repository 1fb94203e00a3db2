"""Settings that are understood and checked, and that nothing uses yet: whoever sets one is told so."""

from parlance.config.load import Loaded

WITHOUT_EFFECT = (
    "providers.*.stream",
    "mcp.",
    "console.",
    "telemetry.",
    "redis_url",
)
"""Beginnings of their paths; `*` stands for a name of the operator's own."""


def settings_without_effect(loaded: Loaded) -> list[str]:
    """The beginnings of the paths that were set, each once."""
    begun = [_beginning(path, idle) for path in loaded.sources for idle in WITHOUT_EFFECT]
    return sorted({path for path in begun if path is not None})


def _beginning(path: tuple[str, ...], idle: str) -> str | None:
    """What of the path the idle setting's own covers, if it does."""
    wanted = idle.rstrip(".").split(".")
    given = path[: len(wanted)]
    covered = len(given) == len(wanted) and all(one in ("*", other) for one, other in zip(wanted, given, strict=True))
    return ".".join(given) if covered else None
