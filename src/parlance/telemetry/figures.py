"""The figures of `/metrics`: their names, labels and meanings. When each moves, and how it is told, lives elsewhere."""

from typing import Literal

from msgspec import Struct

DURATIONS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
FIRST_TOKENS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)
TOOL_DURATIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Figure(Struct, frozen=True):
    """`name` is the one that is exposed. `buckets` are the upper bounds of a histogram, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


_MODEL = ("provider", "model")

TURNS = Figure("parlance_turns_total", "counter", ("door", *_MODEL, "status"), "Turns that ended, by how they did.")
FAULTS = Figure(
    "parlance_turn_faults_total", "counter", ("door", "provider", "code"), "Turns that ended with a fault, by its code."
)
TURN_SECONDS = Figure(
    "parlance_turn_seconds",
    "histogram",
    _MODEL,
    "From a turn's acceptance to its end, what it waited for tools and for its client included.",
    DURATIONS,
)
FIRST_TOKEN_SECONDS = Figure(
    "parlance_first_token_seconds",
    "histogram",
    _MODEL,
    "From a turn's acceptance to the opening of its first part: text, reasoning, or a call.",
    FIRST_TOKENS,
)
STEPS = Figure(
    "parlance_steps_total",
    "counter",
    (*_MODEL, "finish"),
    "Model calls that answered, by why the model stopped; `cut` when it had not, `dropped` when it began anew.",
)
TOKENS = Figure(
    "parlance_tokens_total",
    "counter",
    (*_MODEL, "kind", "source"),
    "Tokens of model calls. `cached` and `cache_written` are part of `input`, `reasoning` is part of `output`. "
    "`source` tells what a host reported from what is estimated.",
)
UNCOUNTED = Figure(
    "parlance_steps_without_usage_total",
    "counter",
    _MODEL,
    "Model calls whose host did not say what they used: their tokens are counted nowhere.",
)
ATTEMPTS = Figure(
    "parlance_attempts_total",
    "counter",
    (*_MODEL, "outcome"),
    "Calls of hosts, those that were tried again included. `answered`; `left`: nobody wanted the rest; else the code "
    "of what went wrong.",
)
COST = Figure(
    "parlance_cost_dollars_total",
    "counter",
    (*_MODEL, "source"),
    "What calls of hosts cost, by the prices that are known. `source` tells usage that a host reported from what is "
    "estimated.",
)
UNPRICED = Figure(
    "parlance_attempts_without_cost_total",
    "counter",
    _MODEL,
    "Calls of hosts whose price or usage is not known: their cost is counted nowhere.",
)
TOOL_CALLS = Figure(
    "parlance_tool_calls_total",
    "counter",
    ("tool", "runner", "outcome"),
    "Tool calls. `refused`: there is no such tool, or the arguments were no JSON object. "
    "`no_result`: the turn ended before.",
)
TOOL_SECONDS = Figure(
    "parlance_tool_seconds",
    "histogram",
    ("tool", "runner"),
    "From a call to its result; for the client's own tools, how long the client took.",
    TOOL_DURATIONS,
)
OPEN_TURNS = Figure(
    "parlance_turns_open",
    "gauge",
    ("door", "state"),
    "Turns that have not ended. `starting`: queued, or no model has answered yet. "
    "`waiting`: for results from the client.",
)
FOLLOWERS = Figure("parlance_followers", "gauge", (), "Connections that are being told a turn, once for each turn.")
BEHIND = Figure(
    "parlance_events_behind", "gauge", (), "Events that followers have not taken yet, of all followers together."
)
MOST_BEHIND = Figure("parlance_events_behind_max", "gauge", (), "The same, of the follower that is furthest behind.")
CUT = Figure(
    "parlance_followers_cut_total", "counter", (), "Followers that were cut since they took nothing for too long."
)
CONNECTIONS = Figure(
    "parlance_connections_open",
    "gauge",
    ("kind",),
    "`websocket`: sockets that are open. `http`: requests that are being answered, this one included.",
)
HELD = Figure(
    "parlance_limits_held",
    "gauge",
    ("limit",),
    "How much of a limit is held, by the limit's name in the settings. `connections` counts idle ones too; `bytes` are "
    "of requests that are on their way.",
)
REFUSED = Figure(
    "parlance_refused_total",
    "counter",
    ("reason",),
    "What was refused by a limit, by the limit's name in the settings, or by the error's code for what came too slowly "
    "or was no HTTP.",
)
WAITING_CALLS = Figure(
    "parlance_model_calls_waiting", "gauge", (), "Calls of hosts that are not written to the log of model calls yet."
)
DROPPED_CALLS = Figure(
    "parlance_model_calls_dropped_total",
    "counter",
    (),
    "Calls of hosts that are missing in the log of model calls, since the database was away too long.",
)
LAG = Figure(
    "parlance_loop_lag_seconds",
    "histogram",
    (),
    "How late the event loop is, sampled once a second.",
    LAGS,
)

FIGURES = (
    TURNS,
    FAULTS,
    TURN_SECONDS,
    FIRST_TOKEN_SECONDS,
    STEPS,
    TOKENS,
    UNCOUNTED,
    ATTEMPTS,
    COST,
    UNPRICED,
    TOOL_CALLS,
    TOOL_SECONDS,
    OPEN_TURNS,
    FOLLOWERS,
    BEHIND,
    MOST_BEHIND,
    CUT,
    CONNECTIONS,
    HELD,
    REFUSED,
    WAITING_CALLS,
    DROPPED_CALLS,
    LAG,
)
