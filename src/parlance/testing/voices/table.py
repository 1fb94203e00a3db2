"""The voices of scripted upstreams: one line each."""

from collections.abc import Mapping

from parlance.core.parts import Family
from parlance.testing.voice import Voice
from parlance.testing.voices.openai_chat import VOICE as OPENAI_CHAT

VOICES: Mapping[Family, Voice] = {voice.family: voice for voice in (OPENAI_CHAT,)}
