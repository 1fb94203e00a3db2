"""Scripts of the scripted host that several tests play."""

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script

PAUSED = Script(reply=Reply(text=("one", " two")), hold_after=2)
"""Says `one`, then waits until the test lets it go on."""

SILENT = Script(hold_head=True)
"""Accepts the request, and does not even begin to answer until the test lets it."""

WEATHER = {
    "name": "get_weather",
    "description": "The weather somewhere.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
"""A tool of the client's own."""


def calling(*calls: tuple[str, str], text: tuple[str, ...] = ()) -> Script:
    """Calls tools, each given by its name and its arguments."""
    scripted = tuple(ScriptedCall(name, arguments, f"call_{place}") for place, (name, arguments) in enumerate(calls))
    return Script(reply=Reply(text=text, calls=scripted))
