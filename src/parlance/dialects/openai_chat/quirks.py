"""What compatible hosts can't take or do otherwise: flags that a host's row in the catalogue may name."""

from typing import Final

MAX_TOKENS_FIELD: Final = "max_tokens_field"
NO_STREAM_OPTIONS: Final = "no_stream_options"
STRICT_FIELDS: Final = "strict_fields"
END_WITHOUT_FINISH: Final = "end_without_finish"
SEND_REASONING_BACK: Final = "send_reasoning_back"
TEXT_ONLY: Final = "text_only"
NO_ALLOWED_TOOLS: Final = "no_allowed_tools"
SHORT_CALL_IDS: Final = "short_call_ids"
CACHE_MARKS: Final = "cache_marks"
RANDOM_SEED: Final = "random_seed"

QUIRKS: Final = {
    MAX_TOKENS_FIELD: "knows `max_tokens` only, not its successor `max_completion_tokens`",
    NO_STREAM_OPTIONS: "refuses `stream_options`; usage comes unasked, or not at all",
    STRICT_FIELDS: "refuses fields that OpenAI's own specification does not have: `top_k`, reasoning, signatures",
    END_WITHOUT_FINISH: "ends whole answers without a finish reason: `[DONE]` behind the usage counts as the end",
    SEND_REASONING_BACK: "wants its own reasoning back in the history, as `reasoning_content`",
    TEXT_ONLY: "takes no images and files: they are named in the text instead",
    NO_ALLOWED_TOOLS: "does not know the choice `allowed_tools`: only the allowed ones are offered",
    SHORT_CALL_IDS: "takes ids of calls only if they are nine letters or digits",
    CACHE_MARKS: "takes `cache_control` marks on parts of the content",
    RANDOM_SEED: "calls the seed `random_seed`",
}
"""Each quirk and what it means: the host …"""
