"""What hosts of every language say in the headers of a refusal: whether and when to come back, and who to ask."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def decode_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, or None where the host did not say (or said nothing sensible).

    `retry-after-ms` counts before `retry-after`, as official clients have it; a date is measured from the answer's own
    `date`, since the clocks of two machines differ. What lies in the past is 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    return seconds if seconds is not None else _until(given, headers.get("date"))


def decode_should_retry(headers: Mapping[str, str]) -> bool | None:
    """What `x-should-retry` says; None where it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def decode_request_id(headers: Mapping[str, str]) -> str | None:
    """The host's own id of the request, for its support."""
    return headers.get("x-request-id") or headers.get("request-id") or None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(given: str | None, now: str | None) -> float | None:
    if not given or not now:
        return None
    try:
        return max(0.0, (parsedate_to_datetime(given) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):
        return None
