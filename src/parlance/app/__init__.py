"""The composition root: turns settings into running rooms. It alone names concrete adapters."""
