"""The log lines of attempts: at info for each that failed, the others at debug. Nothing that anybody wrote."""

import logging

import structlog

from parlance.core.attempts import Attempt

_NAME = "parlance.attempts"
_log = structlog.stdlib.get_logger(_NAME)
_log_level = logging.getLogger(_NAME)


class AttemptLog:
    """An `AttemptObserver`. Durations are in seconds, the cost is in US dollars."""

    def observe_attempt(self, attempt: Attempt) -> None:
        failed = attempt.outcome == "failed"
        if not failed and not _log_level.isEnabledFor(logging.DEBUG):
            # Nearly always: a line that nobody reads costs more than a whole attempt's bookkeeping.
            return
        # The turn has a line of its own, a warning where it fails: what another host made good is none.
        say = _log.info if failed else _log.debug
        usage = attempt.usage
        say(
            f"attempt {attempt.outcome}",
            request_id=attempt.request_id,
            turn_id=attempt.turn,
            provider=attempt.provider,
            model=attempt.model,
            attempt=attempt.number,
            upstream_id=attempt.upstream_id,
            fault=attempt.fault,
            first=_rounded(attempt.first),
            duration=_rounded(attempt.duration),
            input_tokens=usage.input if usage is not None else None,
            output_tokens=usage.output if usage is not None else None,
            tokens_estimated=usage.estimated if usage is not None else None,
            cost=attempt.cost,
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
