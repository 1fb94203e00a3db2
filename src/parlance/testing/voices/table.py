"""The voices of scripted upstreams: one line each."""

from collections.abc import Mapping

from parlance.core.parts import Family
from parlance.testing.voice import Voice
from parlance.testing.voices.anthropic_messages import VOICE as ANTHROPIC_MESSAGES
from parlance.testing.voices.gemini import VOICE as GEMINI
from parlance.testing.voices.ollama import VOICE as OLLAMA
from parlance.testing.voices.openai_chat import VOICE as OPENAI_CHAT
from parlance.testing.voices.openai_responses import VOICE as OPENAI_RESPONSES

VOICES: Mapping[Family, Voice] = {
    voice.family: voice for voice in (ANTHROPIC_MESSAGES, OPENAI_CHAT, OLLAMA, GEMINI, OPENAI_RESPONSES)
}
"""The first that wants a request answers it: those that know theirs by a header come first."""
