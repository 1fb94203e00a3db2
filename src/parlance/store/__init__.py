"""What lasts: SQL databases behind the Protocols of `core.stores`, and doubles of them in memory."""
