"""The stores, made over a shelf or a database. What turns write is put there row by row."""

from sqlalchemy import insert

from parlance.store.assistants import SqlAssistants
from parlance.store.chats import SqlChats
from parlance.store.database import Database
from parlance.store.in_memory.assistants import InMemoryAssistants
from parlance.store.in_memory.chats import InMemoryChats
from parlance.store.in_memory.memories import InMemoryMemories
from parlance.store.in_memory.messages import InMemoryMessages
from parlance.store.in_memory.model_calls import InMemoryModelCalls
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.store.memories import SqlMemories
from parlance.store.message_rows import encode_message
from parlance.store.messages import SqlMessages
from parlance.store.model_calls import SqlModelCalls
from parlance.store.subtenants import SqlSubtenants
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns
from parlance.store.turn_rows import encode_turn
from tests.contract.stores.world import Kept, Stores


def in_memory(shelf: Shelf) -> Stores:
    async def keep(kept: Kept) -> None:
        shelf.turns[kept.turn.id] = kept.turn
        shelf.messages |= {stored.message.id: stored for stored in kept.messages}

    return Stores(
        subtenants=InMemorySubtenants(shelf),
        chats=InMemoryChats(shelf),
        messages=InMemoryMessages(shelf),
        memories=InMemoryMemories(shelf),
        assistants=InMemoryAssistants(shelf),
        model_calls=InMemoryModelCalls(shelf),
        keep=keep,
    )


def in_sql(database: Database) -> Stores:
    kept_already: set[str] = set()

    async def keep(kept: Kept) -> None:
        async with database.writing() as connection:
            if kept.turn.id not in kept_already:
                await connection.execute(insert(turns), [encode_turn(kept.turn, b"{}")])
            rows = [encode_message(stored, kept.turn.position) for stored in kept.messages]
            await connection.execute(insert(messages), rows)
        kept_already.add(kept.turn.id)

    return Stores(
        subtenants=SqlSubtenants(database),
        chats=SqlChats(database),
        messages=SqlMessages(database),
        memories=SqlMemories(database),
        assistants=SqlAssistants(database),
        model_calls=SqlModelCalls(database),
        keep=keep,
    )
