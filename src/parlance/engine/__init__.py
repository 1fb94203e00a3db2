"""One turn: history in, events out. What watches it is an observer; what shapes the request is a preparer."""
