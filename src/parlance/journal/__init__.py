"""The log of events: numbers them, keeps the live window, fans out to followers, replays."""
