"""This language's errors and ours, in both directions. Over HTTP they are those of all of OpenAI's APIs."""

from typing import Final

import msgspec

from parlance.core.errors import Fault, UpstreamError
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import decode_complaint, read_complaint
from parlance.dialects.openai_faults import OPENAI_WORDS
from parlance.dialects.openai_faults import encode_ending as encode_ending
from parlance.dialects.openai_faults import encode_fault as encode_fault
from parlance.dialects.raw_fields import Fields
from parlance.dialects.refusals import error_in_stream, error_of_answer

_HOPELESS: Final = frozenset({
    "invalid_request", "not_found", "invalid_prompt", "data_residency_mismatch", "bio_policy",
    "misalignment_policy_violation", "invalid_image", "invalid_image_format", "invalid_base64_image",
    "invalid_image_url", "image_too_large", "image_too_small", "image_parse_error", "image_content_policy_violation",
    "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type", "empty_image_file",
    "failed_to_download_image", "image_file_not_found", "invalid_encrypted_content", "previous_response_not_found",
})  # fmt: skip
_WORDS: Final = msgspec.structs.replace(
    OPENAI_WORDS, rate=OPENAI_WORDS.rate | {"too_many_requests"}, rejected=OPENAI_WORDS.rejected | _HOPELESS
)
_TOLD: Final = {
    "upstream_rate_limited": "rate_limit_exceeded",
    "upstream_rejected": "invalid_prompt",
}


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON."""
    return error_of_answer(answer, decode_complaint(answer.body), _WORDS, host=host)


def decode_stream_error(error: Fields | str, *, host: str) -> UpstreamError:
    """An error told in a stream, or by a response that failed."""
    return error_in_stream(read_complaint(error), _WORDS, host=host)


def tell_failure(fault: Fault) -> dict[str, str]:
    """The error that a failed response holds. The language has a closed list of codes for it."""
    return {"code": _TOLD.get(fault.code, "server_error"), "message": fault.message}
