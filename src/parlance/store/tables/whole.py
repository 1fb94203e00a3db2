"""All tables together: `metadata` is complete once this is imported."""

from parlance.store.tables.answers import answers
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.leases import leases
from parlance.store.tables.memories import memories
from parlance.store.tables.messages import messages
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.pieces import pieces
from parlance.store.tables.request_keys import request_keys
from parlance.store.tables.schema import metadata as metadata
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns
from parlance.store.tables.words import words

TABLES = (
    subtenants,
    assistants,
    chats,
    memories,
    turns,
    messages,
    pieces,
    request_keys,
    answers,
    model_calls,
    words,
    leases,
)
"""Each behind those that it refers to."""
