"""All rooms wired: from settings to an ASGI application that can be served and closed."""

import threading
from collections.abc import Sequence

from msgspec import Struct
from starlette.routing import BaseRoute, Router

from parlance import __version__
from parlance.app.access import open_gate
from parlance.app.chats import open_chats, rest_stores
from parlance.app.open_files import connections_within
from parlance.app.preparers import open_preparers
from parlance.app.providers import Providers, open_providers
from parlance.app.routing import named_models, open_models, open_prices
from parlance.app.store import Store, open_store
from parlance.app.telemetry import open_attempt_observers, open_observers
from parlance.config.errors import ConfigError
from parlance.config.settings import Settings
from parlance.core.observers import TurnObserver
from parlance.doors import json_rpc, metrics, ndjson_chat, rest, status, ws_chat
from parlance.doors.entrance import Entrance, nowhere
from parlance.doors.limits import LimitOptions, Limits
from parlance.doors.serving import DoorOptions, Serving
from parlance.engine.ask import EngineOptions
from parlance.engine.engine import Engine
from parlance.engine.turn_state import EngineParts
from parlance.journal.memory import MemoryJournal
from parlance.net.egress import Egress
from parlance.telemetry.metrics import Metrics, Watched
from parlance.tools.builtin import BUILTINS
from parlance.tools.toolbox import Toolbox

HISTORY_TOKENS = 100_000
"""How much of a connection's conversation is remembered. How much of it is sent is the model's window's to say."""

SHORTEST_GRACE = 0.05
"""Seconds. The client that a turn was begun for follows it in the next breath, and must not come too late."""

ABOUT = status.About(
    name="Parlance",
    version=__version__,
    status="running",
    doors={
        "ws_chat": "/ws/chat",
        "ndjson_chat": "/chat",
        "json_rpc": "/create_session",
        "rest": "/api/v1",
        "models": "/models",
        "health": "/health",
        "ready": "/ready",
        "metrics": "/metrics",
    },
)


class Application(Struct, frozen=True):
    """`made_key`: the key made at this start, to be shown once."""

    asgi: Entrance
    engine: Engine
    limits: Limits
    providers: Providers
    store: Store
    made_key: str | None

    async def prepare(self) -> None:
        """Before it is served, by whoever wants to be told what is wrong with the database: `ConfigError`."""
        try:
            await self.store.prepare()
        except ConfigError:
            await self.store.close()
            raise


async def compose(settings: Settings, *, port: int) -> Application:
    """Wire everything. `port` is the one that is listened on. Closed through the application's lifespan."""
    opened = open_gate(settings, port=port)
    egress = Egress()
    providers = await open_providers(settings, egress, own_port=port)
    figures, journal = Metrics(named_models(settings, providers)), MemoryJournal(settings.journal.live_window)
    store = open_store(settings)
    chats = open_chats(settings, store, journal)
    prices = open_prices(settings, providers)
    models = open_models(settings, providers, open_attempt_observers(figures.attempts, chats.ledger), prices)
    parts = _engine_parts(settings, providers, (figures.turns, chats.ledger))
    engine = Engine(models, Toolbox(BUILTINS), journal, parts, chats.stores)
    options = DoorOptions(
        body=settings.limits.body,
        keeps_history=settings.server.ws.history != "none",
        history_tokens=HISTORY_TOKENS,
        sign_in=settings.limits.patience,
        stores_all=settings.chats.store == "always",
    )
    limits = Limits(_limit_options(settings))
    serving = Serving(engine, models, opened.gate, options, limits, store.chats)

    async def start() -> None:
        await store.prepare()
        await chats.begin(engine)
        figures.begin()
        # Nobody waits for it: until it is there, the first to need a price loads it.
        threading.Thread(target=prices.prepare, name="prices", daemon=True).start()

    async def stop() -> None:
        # The server has waited for its answers already; what still runs has nobody left to hear it.
        await engine.close()
        await chats.close()
        await store.close()
        figures.end()
        for provider in providers.usable.values():
            await provider.close()
        await egress.close()

    routes: list[BaseRoute] = [
        *status.routes(serving, ABOUT, outage=lambda: store.outage),
        *metrics.routes(serving, figures.expose),
        *ws_chat.routes(serving),
        *ndjson_chat.routes(serving),
        *json_rpc.routes(serving),
        *rest.routes(serving, rest_stores(store), version=__version__),
    ]
    router = Router(routes, redirect_slashes=False, default=nowhere)
    asgi = Entrance(router, opened.gate, limits.refusals, start=start, stop=stop)
    figures.watch(
        Watched(
            journal.readership,
            lambda: asgi.open,
            limits.held,
            lambda: limits.refusals.counted,
            ledger=chats.ledger.backlog,
        )
    )
    return Application(asgi, engine, limits, providers, store, opened.made_key)


def _limit_options(settings: Settings) -> LimitOptions:
    limits = settings.limits
    return LimitOptions(
        connections=connections_within(limits.connections),
        sockets=limits.sockets,
        sockets_per_key=limits.per_key.sockets,
        bytes=limits.bytes,
        bytes_per_key=limits.per_key.bytes,
        patience=limits.patience,
        stall=limits.stall,
    )


def _engine_parts(settings: Settings, providers: Providers, observers: Sequence[TurnObserver]) -> EngineParts:
    return EngineParts(
        observer=open_observers(*observers),
        preparers=open_preparers(settings, providers),
        options=EngineOptions(
            rounds=settings.tools.rounds,
            parallel_calls=settings.tools.parallel,
            tool_timeout=settings.tools.timeout,
            answer_timeout=settings.tools.wait,
            live_grace=max(settings.journal.live_grace, SHORTEST_GRACE),
            live_retention=settings.journal.live_retention,
            live_memory=settings.journal.live_memory,
            turns=settings.limits.turns,
            turns_per_key=settings.limits.per_key.turns,
        ),
    )
