"""What it costs to keep chats, beside the same turns when they pass. `python -m bench.stored` measures it."""
