"""What is kept, and the Protocols of those who keep it: one for each kind of thing, never one great store.

Each takes a `reach` where a thing has an owner: the subtenant that may see it, or None for a caller who may see all.
What is out of reach is told as not found. Times are aware, in UTC. Lists come in the order of creation.
"""

from msgspec import Struct

Reach = str | None


class Page(Struct, frozen=True):
    """A piece of a list: how many to pass over, and how many at most."""

    skip: int = 0
    limit: int = 100
