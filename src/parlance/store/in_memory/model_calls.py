"""The log of calls of models, on a shelf."""

from collections.abc import Iterable
from datetime import datetime

from parlance.core.stores import Page, Reach
from parlance.core.stores.model_calls import CallFilter, ModelCall, UsageTotal
from parlance.core.usage import Usage
from parlance.store.checks import storable_call
from parlance.store.in_memory.shelf import Shelf


class InMemoryModelCalls:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def add(self, calls: tuple[ModelCall, ...]) -> int:
        owned = [call for call in calls if call.subtenant_id in self._shelf.subtenants]
        self._shelf.model_calls |= {call.id: storable_call(call) for call in owned}
        return len(calls) - len(owned)

    async def list(self, wanted: CallFilter, page: Page, reach: Reach) -> tuple[ModelCall, ...]:
        found = [call for call in self._shelf.model_calls.values() if _fits(call, wanted, reach)]
        return tuple(found[::-1][page.skip : page.skip + page.limit])

    async def totals(self, wanted: CallFilter, reach: Reach) -> tuple[UsageTotal, ...]:
        sums: dict[tuple[str, str], list[ModelCall]] = {}
        for call in self._shelf.model_calls.values():
            if _fits(call, wanted, reach):
                sums.setdefault((call.provider, call.model), []).append(call)
        return tuple(_total(*names, calls) for names, calls in sorted(sums.items()))

    async def forget(self, before: datetime) -> int:
        kept = {id: call for id, call in self._shelf.model_calls.items() if call.created_at >= before}
        gone = len(self._shelf.model_calls) - len(kept)
        self._shelf.model_calls = kept
        return gone


def _fits(call: ModelCall, wanted: CallFilter, reach: Reach) -> bool:
    asked = (
        (reach, call.subtenant_id),
        (wanted.subtenant, call.subtenant_id),
        (wanted.chat, call.chat_id),
        (wanted.turn, call.turn_id),
        (wanted.provider, call.provider),
        (wanted.model, call.model),
    )
    if any(wish is not None and wish != value for wish, value in asked):
        return False
    begun = wanted.since is None or call.created_at >= wanted.since
    return begun and (wanted.until is None or call.created_at < wanted.until)


def _total(provider: str, model: str, calls: Iterable[ModelCall]) -> UsageTotal:
    calls = tuple(calls)
    usages = [call.usage or Usage() for call in calls]
    return UsageTotal(
        provider=provider,
        model=model,
        calls=len(calls),
        failed=sum(call.outcome == "failed" for call in calls),
        input=sum(usage.input or 0 for usage in usages),
        output=sum(usage.output or 0 for usage in usages),
        cost=sum(call.cost or 0.0 for call in calls),
        unpriced=sum(call.cost is None for call in calls),
    )
