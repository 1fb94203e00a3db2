"""OpenAI's responses, in both directions. Nothing to import here."""
