"""Door D: `POST /create_session` and `/ws/{session_id}`. One conversation a session, across its connections."""

from parlance.doors.json_rpc.door import DOOR as DOOR
from parlance.doors.json_rpc.door import routes as routes
