"""Door B: the REST service at `/api/v1`. Chats that last, in resources; answers whole, as streams, or later."""

from parlance.doors.rest.door import routes as routes
from parlance.doors.rest.providers import DOOR as DOOR
from parlance.doors.rest.stores import Stores as Stores
