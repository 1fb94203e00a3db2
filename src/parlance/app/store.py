"""Settings into what keeps things: the database, and the stores over it."""

from msgspec import Struct

from parlance.app.database import OpenedDatabase, prepare_database, refused
from parlance.config.settings import Settings
from parlance.core.errors import StorageUnavailable
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores.assistants import Assistants
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chats
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages
from parlance.core.stores.model_calls import ModelCalls
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import Leases, Turns
from parlance.store.answers import SqlAnswers
from parlance.store.assistants import SqlAssistants
from parlance.store.chats import SqlChats
from parlance.store.keeping import TurnStores
from parlance.store.memories import SqlMemories
from parlance.store.messages import SqlMessages
from parlance.store.model_calls import SqlModelCalls
from parlance.store.subtenants import SqlSubtenants


class Store(Struct, frozen=True, kw_only=True):
    """`prepare` on the event loop, before anything is asked of it; twice is as good as once."""

    settings: Settings
    opened: OpenedDatabase
    subtenants: Subtenants
    chats: Chats
    messages: Messages
    memories: Memories
    assistants: Assistants
    calls: ModelCalls
    turns: Turns
    leases: Leases
    bells: Bells
    answers: SqlAnswers
    keeping: TurnStores

    @property
    def outage(self) -> str | None:
        """Why nothing can be stored now. Asks nobody."""
        return self.opened.database.outage

    async def prepare(self) -> None:
        """`ConfigError`, which says why, when the database does not come, can't be used, or is another process's."""
        if self.keeping.started:
            return
        self.opened.own()
        await prepare_database(self.settings, self.opened.database)
        try:
            await self.subtenants.ensure(frozenset({DEFAULT_SUBTENANT, *_of_keys(self.settings)}))
        except StorageUnavailable as error:
            raise refused(self.settings, error) from None
        self.keeping.start()

    async def close(self) -> None:
        await self.keeping.close()
        await self.answers.close()
        await self.opened.close()


def open_store(settings: Settings) -> Store:
    """`ConfigError` for an address that is none. Nothing is touched yet."""
    opened = OpenedDatabase(settings)
    database = opened.database
    keeping = TurnStores(database, opened.address, opened.listens_at)
    return Store(
        settings=settings,
        opened=opened,
        subtenants=SqlSubtenants(database),
        chats=SqlChats(database),
        messages=SqlMessages(database),
        memories=SqlMemories(database),
        assistants=SqlAssistants(database),
        calls=SqlModelCalls(database),
        turns=keeping.turns,
        leases=keeping.leases,
        bells=keeping.bells,
        answers=SqlAnswers(database),
        keeping=keeping,
    )


def _of_keys(settings: Settings) -> set[str]:
    return {
        key.scope.removeprefix("subtenant:")
        for key in settings.access.keys.values()
        if key.scope.startswith("subtenant:")
    }
