"""Anthropic's messages, spoken to hosts and served to clients."""
