"""The REST service: resources as JSON, turns as server-sent events."""
