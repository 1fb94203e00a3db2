"""What a model call consumed, and why it stopped."""

from typing import Literal

from msgspec import Struct

Finish = Literal["stop", "tool_calls", "length", "filtered", "continue", "error", "unknown"]
"""Why a model stopped.

`continue`: it wants its own message back and will go on; `unknown`: a word we do not know, kept as `raw`.
"""


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens of one model call, or the sum of several.

    `input` and `output` are totals; `cached` and `cache_written` are subsets of `input`, `reasoning` of `output`.
    None means that the host did not say, which is not zero. `estimated`: at least one figure was not reported by the
    host but guessed or left out.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cache_written: int | None = None
    reasoning: int | None = None
    estimated: bool = False

    @property
    def total(self) -> int | None:
        """Input and output together; None when neither was said."""
        return _sum(self.input, self.output)


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """The sum of two calls. A total that only one of them said makes the sum an estimate, for it is a lower bound."""
    if first is None or second is None:
        return first or second
    lower_bound = (first.input is None) != (second.input is None) or (first.output is None) != (second.output is None)
    return Usage(
        input=_sum(first.input, second.input),
        output=_sum(first.output, second.output),
        cached=_sum(first.cached, second.cached),
        cache_written=_sum(first.cache_written, second.cache_written),
        reasoning=_sum(first.reasoning, second.reasoning),
        estimated=first.estimated or second.estimated or lower_bound,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return first if second is None else second
    return first + second
