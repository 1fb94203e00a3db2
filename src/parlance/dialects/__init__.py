"""The languages on the wire, one folder each: pure, no I/O, strangers to each other.
A folder holds both directions: `speak` (we are the client) and `serve` (we are the server)."""
