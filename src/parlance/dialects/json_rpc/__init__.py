"""JSON-RPC 2.0 over a WebSocket: calls answered at once, and notifications that tell turns."""
