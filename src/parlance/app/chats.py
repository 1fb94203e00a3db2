"""Settings and stores into what chats need beside the engine: their journal, their ledger, their sweeper."""

from msgspec import Struct

from parlance.app.store import Store
from parlance.app.sweeper import Sweeper, Swept, ages_of
from parlance.config.settings import Settings
from parlance.core.ids import new_owner_id
from parlance.doors.rest import Stores
from parlance.engine.chat_turns import ChatOptions, ChatStores
from parlance.engine.engine import Engine
from parlance.journal.memory import MemoryJournal
from parlance.journal.stored import Keeping, StoredJournal
from parlance.telemetry.ledger import Ledger


class OpenedChats(Struct, frozen=True):
    """`begin` before the first turn is accepted, `close` when the last one has ended."""

    stores: ChatStores
    ledger: Ledger
    sweeper: Sweeper

    async def begin(self, engine: Engine) -> None:
        await self.sweeper.begin(engine.adopt)
        self.ledger.begin()

    async def close(self) -> None:
        await self.ledger.close()
        await self.sweeper.close()


def open_chats(settings: Settings, store: Store, journal: MemoryJournal) -> OpenedChats:
    """Its logs are told from the memory of `journal`, as those of live turns are."""
    owner = new_owner_id()
    stores = ChatStores(
        turns=store.turns,
        chats=store.chats,
        assistants=store.assistants,
        memories=store.memories,
        bells=store.bells,
        journal=StoredJournal(journal, store.turns, Keeping(settings.journal.durability)),
        owner=owner,
        options=ChatOptions(settings.chats.send_policy, settings.chats.queue_size),
    )
    swept = Swept(store.leases, store.bells, store.calls, store.answers)
    return OpenedChats(stores, Ledger(store.calls), Sweeper(owner, swept, ages_of(settings)))


def rest_stores(store: Store) -> Stores:
    return Stores(
        subtenants=store.subtenants,
        chats=store.chats,
        messages=store.messages,
        memories=store.memories,
        assistants=store.assistants,
        calls=store.calls,
        turns=store.turns,
        answers=store.answers,
        bells=store.bells,
    )
