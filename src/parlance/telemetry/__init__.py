"""Watchers of turns and of attempts: logs, metrics, ledgers. The loop does not know them."""
