"""The words: values and Protocols that every other room speaks in. No I/O; imports nothing else of Parlance."""
