"""Hands: the toolbox, and the tools that the server itself runs."""
