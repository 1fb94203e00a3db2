"""How many files, connections among them, the operating system lets this process have open."""

import logging
import sys

log = logging.getLogger(__name__)

SPARE = 64
"""Files that are open beside connections, about."""


def raise_limit() -> None:
    """As far as the process may raise it itself."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            log.debug("The limit on open files stays as it is")


def connections_within(wanted: int) -> int:
    """As many of the wanted connections as can be open while each has another one to a model's host: what goes beyond
    is to be refused by us, who say so, and not by the operating system.
    """
    possible = max(1, (_files() - SPARE) // 2)
    if possible < wanted:
        log.info(
            "limits.connections is %d, but this process may open so few files that %d are taken. Raise its limit on "
            "open files, or set limits.connections to that.",
            wanted,
            possible,
        )
    return min(wanted, possible)


def _files() -> int:
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
