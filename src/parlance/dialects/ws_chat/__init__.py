"""The WebSocket chat: one JSON object a frame, several requests at once, told apart by their ids."""
