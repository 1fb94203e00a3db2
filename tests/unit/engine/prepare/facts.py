"""A turn as preparers know it."""

from parlance.core.ids import TurnId
from parlance.core.observers import TurnFacts
from parlance.core.principal import LOCAL_ADMIN

FACTS = TurnFacts(TurnId("turn"), LOCAL_ADMIN, "door", "fast", "lab", "request", 0.0)
