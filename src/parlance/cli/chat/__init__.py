"""`parlance chat`: a client of the WebSocket chat, in a terminal, in a pipe, or as JSON lines for scripts."""
