"""The table of wire languages that hosts are spoken to in: one line each."""

from collections.abc import Mapping

from parlance.core.parts import Family
from parlance.core.provider import Language
from parlance.dialects.openai_chat.speak import LANGUAGE as OPENAI_CHAT

LANGUAGES: Mapping[Family, Language] = {language.family: language for language in (OPENAI_CHAT,)}
