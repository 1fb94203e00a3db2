"""For whom tools run in these tests."""

from parlance.core.ids import CallId, TurnId
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.tool import Invocation

INVOCATION = Invocation(TurnId("turn-1"), CallId("call-1"), LOCAL_ADMIN)
