"""Door A: `/ws/chat`. Several requests at once over one socket, which is a conversation by itself."""

from parlance.doors.ws_chat.door import routes as routes
