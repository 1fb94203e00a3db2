"""Parlance: one conversation engine with many doors, between any front end and any language model."""

__version__ = "0.1.0"
