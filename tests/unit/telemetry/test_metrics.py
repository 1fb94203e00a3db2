"""The text that scrapers get: every figure of the list and no other, and what is looked at when it is asked for."""

import asyncio

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from parlance.core.journal import Readership
from parlance.telemetry.figures import FIGURES
from parlance.telemetry.ledger import Backlog
from parlance.telemetry.loop_lag import INTERVAL, LoopLag
from parlance.telemetry.metrics import Metrics, Watched
from tests.unit.telemetry.turns import FACTS, events


async def exposed(metrics: Metrics) -> dict[str, Metric]:
    content_type, body = await metrics.expose()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def full() -> Metrics:
    """After one turn, with another one open."""
    metrics = Metrics(["lab/fast"])
    metrics.watch(
        Watched(
            readership=lambda: Readership(3, 20, 12, 2),
            connections=lambda: {"http": 1, "websocket": 4},
            held=lambda: {"sockets": 4},
            refused=lambda: {"per_key.sockets": 5},
            ledger=lambda: Backlog(waiting=6, dropped=7),
        )
    )
    for event in (*events(), events()[0]):
        metrics.turns.observe(FACTS, event)
    return metrics


async def test_each_figure_is_told_as_the_list_has_it() -> None:
    families = await exposed(full())
    for figure in FIGURES:
        family = families[figure.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (figure.kind, figure.meaning)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(figure.labels)
    own = {name for name in families if name.startswith("parlance_")}
    assert own == {figure.name.removesuffix("_total") for figure in FIGURES}


async def test_a_histogram_has_the_bounds_of_the_list() -> None:
    families = await exposed(full())
    for figure in FIGURES:
        if figure.kind == "histogram":
            assert figure.buckets == tuple(sorted(set(figure.buckets)))
            bounds = {sample.labels.get("le") for sample in families[figure.name].samples} - {None}
            assert bounds in (set(), {*map(str, figure.buckets), "+Inf"})


async def test_the_process_and_its_interpreter_are_told_too() -> None:
    families = await exposed(Metrics())
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= families.keys()
    assert {"python_info", "python_gc_collections"} <= families.keys()


async def test_what_goes_on_is_looked_at_when_somebody_asks() -> None:
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in (await exposed(full())).values()
        for sample in family.samples
    }
    assert samples["parlance_followers",] == 3
    assert samples["parlance_events_behind",] == 20
    assert samples["parlance_events_behind_max",] == 12
    assert samples["parlance_followers_cut_total",] == 2
    assert samples["parlance_model_calls_waiting",] == 6
    assert samples["parlance_model_calls_dropped_total",] == 7
    assert samples["parlance_connections_open", "websocket"] == 4
    assert samples["parlance_turns_open", "ws_chat", "starting"] == 1


async def test_when_a_series_was_made_is_not_told() -> None:
    assert b"_created" not in (await full().expose())[1]


async def test_nothing_that_anybody_wrote_is_in_it() -> None:
    text = (await full().expose())[1].decode()
    for private in ("WORDS", str(FACTS.turn), FACTS.request_id, FACTS.principal.key_id + '"', "acme"):
        assert private not in text


async def test_two_of_them_share_nothing() -> None:
    full()
    assert not any("ws_chat" in line for line in (await Metrics().expose())[1].decode().splitlines())


async def test_the_lag_is_how_late_a_sample_comes() -> None:
    times = iter((10.0, 10.0 + INTERVAL + 0.25, 20.0, 20.0 + INTERVAL - 0.001, 30.0))
    lags: list[float] = []
    lag = LoopLag(lags.append, clock=lambda: next(times))
    lag.begin()
    lag._sample()
    lag._sample()
    assert lags == [0.25, 0.0]
    lag.end()
    lag.end()


async def test_a_sampler_is_one_timer_and_no_task() -> None:
    before = asyncio.all_tasks()
    metrics = Metrics()
    metrics.begin()
    timer = metrics._lag._timer
    assert timer is not None
    assert asyncio.all_tasks() == before
    metrics.end()
    assert timer.cancelled()
