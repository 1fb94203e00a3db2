"""Settings into what keeps things: the database, and the stores over it."""

from pathlib import Path

from msgspec import Struct

from parlance.config.errors import ConfigError, Problem
from parlance.config.settings import Settings
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores.answers import Answers
from parlance.core.stores.assistants import Assistants
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chats
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages
from parlance.core.stores.model_calls import ModelCalls
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import Leases, Turns
from parlance.store.addresses import Address, SqliteAddress, read_address
from parlance.store.assistants import SqlAssistants
from parlance.store.chats import SqlChats
from parlance.store.database import Database, open_database
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.keeping import TurnStores
from parlance.store.memories import SqlMemories
from parlance.store.messages import SqlMessages
from parlance.store.model_calls import SqlModelCalls
from parlance.store.subtenants import SqlSubtenants
from parlance.store.tables.whole import metadata

FILE = "parlance.db"


class Store(Struct, frozen=True, kw_only=True):
    """`prepare` once, on the event loop, before anything is asked of it."""

    database: Database
    subtenants: Subtenants
    chats: Chats
    messages: Messages
    memories: Memories
    assistants: Assistants
    calls: ModelCalls
    turns: Turns
    leases: Leases
    bells: Bells
    answers: Answers
    keeping: TurnStores
    named_subtenants: frozenset[str]

    async def prepare(self) -> None:
        """`StorageUnavailable`."""
        async with self.database.writing(within=30.0) as connection:
            await connection.run_sync(metadata.create_all)
        await self.subtenants.ensure(self.named_subtenants)
        self.keeping.start()

    async def close(self) -> None:
        await self.keeping.close()
        await self.database.close()


def open_store(settings: Settings) -> Store:
    """`ConfigError` for an address that is none."""
    address = _address(settings)
    database = open_database(address)
    keeping = TurnStores(database, address)
    return Store(
        database=database,
        subtenants=SqlSubtenants(database),
        chats=SqlChats(database),
        messages=SqlMessages(database),
        memories=SqlMemories(database),
        assistants=SqlAssistants(database),
        calls=SqlModelCalls(database),
        turns=keeping.turns,
        leases=keeping.leases,
        bells=keeping.bells,
        answers=InMemoryAnswers(),
        keeping=keeping,
        named_subtenants=frozenset({DEFAULT_SUBTENANT, *_of_keys(settings)}),
    )


def _address(settings: Settings) -> Address:
    if settings.database_url is None:
        settings.data.mkdir(parents=True, exist_ok=True)
        return SqliteAddress(Path(settings.data / FILE))
    try:
        return read_address(settings.database_url.get_secret_value())
    except ValueError as error:
        raise ConfigError((Problem("database_url", str(error)),)) from None


def _of_keys(settings: Settings) -> set[str]:
    return {
        key.scope.removeprefix("subtenant:")
        for key in settings.access.keys.values()
        if key.scope.startswith("subtenant:")
    }
