"""The NDJSON chat: one request, its answer as one JSON object a line."""
