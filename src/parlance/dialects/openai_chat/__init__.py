"""OpenAI's chat completions, in both directions, and what compatible hosts make of it."""
