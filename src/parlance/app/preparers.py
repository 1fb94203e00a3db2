"""Settings into what shapes requests before a model sees them."""

from collections.abc import Sequence

from parlance.app.providers import Providers
from parlance.config.settings import Settings
from parlance.engine.prepare.history_budget import HistoryBudget
from parlance.engine.prepare.preparer import Preparer
from parlance.routing.windows import KnownWindows


def open_preparers(settings: Settings, providers: Providers) -> Sequence[Preparer]:
    """In the order in which they shape a request."""
    lists = {name: spec.price_list for name, spec in providers.specs.items() if spec.price_list}
    windows = KnownWindows(providers.usable, settings.windows, lists)
    return (HistoryBudget(windows, reserve=settings.chats.history.reserve_output),)
