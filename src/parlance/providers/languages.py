"""The table of wire languages that hosts are spoken to in: one line each."""

from collections.abc import Mapping

from parlance.core.parts import Family
from parlance.core.provider import Language
from parlance.dialects.anthropic_messages.speak import LANGUAGE as ANTHROPIC_MESSAGES
from parlance.dialects.gemini.speak import LANGUAGE as GEMINI
from parlance.dialects.ollama.speak import LANGUAGE as OLLAMA
from parlance.dialects.openai_chat.speak import LANGUAGE as OPENAI_CHAT
from parlance.dialects.openai_responses.speak import LANGUAGE as OPENAI_RESPONSES

LANGUAGES: Mapping[Family, Language] = {
    language.family: language for language in (OPENAI_CHAT, OPENAI_RESPONSES, OLLAMA, GEMINI, ANTHROPIC_MESSAGES)
}
