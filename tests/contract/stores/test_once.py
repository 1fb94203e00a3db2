"""What every store promises of a request under an idempotency key: it is done and its answer kept, both or neither."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import Struct, structs

from parlance.core.errors import AlreadyExists, ParlanceError, RequestInFlight, StoredNotFound
from parlance.core.ids import AssistantId, ChatId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.answers import Answers, Claim, KeptAnswer, Once
from parlance.core.stores.assistants import AssistantChange
from parlance.core.stores.chats import ChatChange, NewChat
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.subtenants import SubtenantChange
from parlance.store.answers import SqlAnswers
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.shelf import Shelf
from tests.contract.stores.conftest import Backing
from tests.contract.stores.world import Stores, Things, a_uuid, new_chat, new_subtenant, one_of_everything

KEY = RequestKey("default", "key_1", "what it asks for", "one", b"asked")
CALLERS = 12


class NothingToTell(Exception):
    pass


def told(outcome: Struct) -> KeptAnswer:
    return KeptAnswer(200, repr(outcome).encode())


ONCE: Once[Struct] = Once(KEY, told)

Act = Callable[[Stores, Things, Once[Struct] | None], Awaitable[Struct]]

ACTS: dict[str, Act] = {
    "Subtenants.create": lambda stores, at, once: stores.subtenants.create(name="new", metadata={}, once=once),
    "Subtenants.change": lambda stores, at, once: stores.subtenants.change(
        at.subtenant, SubtenantChange(name="new"), None, once
    ),
    "Subtenants.delete": lambda stores, at, once: stores.subtenants.delete(at.subtenant, None, once),
    "Chats.create": lambda stores, at, once: stores.chats.create(
        NewChat(id=new_chat_id(), subtenant_id=at.subtenant, title="new"), None, once
    ),
    "Chats.change": lambda stores, at, once: stores.chats.change(at.chat, ChatChange(title="new"), None, once),
    "Chats.delete": lambda stores, at, once: stores.chats.delete(at.chat, None, once),
    "Memories.create": lambda stores, at, once: stores.memories.create(at.subtenant, "new", 1, None, once),
    "Memories.change": lambda stores, at, once: stores.memories.change(at.subtenant, at.key, 1, None, once),
    "Memories.delete": lambda stores, at, once: stores.memories.delete(at.subtenant, at.key, None, once),
    "Assistants.create": lambda stores, at, once: stores.assistants.create(
        at.subtenant, AssistantChange(name="new"), None, once
    ),
    "Assistants.change": lambda stores, at, once: stores.assistants.change(
        at.assistant, AssistantChange(name="new"), None, once
    ),
    "Assistants.delete": lambda stores, at, once: stores.assistants.delete(at.assistant, None, once),
}
"""All that stores do for a request."""


@pytest.fixture
def answers(backing: Backing) -> Answers:
    return InMemoryAnswers(backing) if isinstance(backing, Shelf) else SqlAnswers(backing)


async def everything(stores: Stores) -> list[Struct]:
    """All that there is, as it is listed."""
    page = Page(limit=1000)
    found: list[Struct] = []
    for subtenant in await stores.subtenants.list(page, None):
        found += [subtenant, *await stores.chats.list(subtenant.id, page, None)]
        found += await stores.memories.list(subtenant.id, page, None)
    return [*found, *await stores.assistants.list(page, None)]


@pytest.mark.requirement("stores:once")
@pytest.mark.parametrize("name", ACTS)
async def test_what_is_done_is_done_once_and_its_answer_kept(name: str, stores: Stores, answers: Answers) -> None:
    at = await one_of_everything(stores)
    assert await answers.find(KEY) is None
    outcome = await ACTS[name](stores, at, ONCE)
    kept = await answers.find(KEY)
    assert kept is not None
    assert (kept.status, kept.body) == (200, told(outcome).body)
    before = await everything(stores)
    with pytest.raises((RequestInFlight, StoredNotFound) if name.endswith("delete") else RequestInFlight):
        await ACTS[name](stores, at, ONCE)
    assert await everything(stores) == before
    assert await answers.find(KEY) == kept


@pytest.mark.requirement("stores:once:race")
@pytest.mark.parametrize("name", ACTS)
async def test_of_many_at_once_one_is_done(name: str, stores: Stores, answers: Answers) -> None:
    at = await one_of_everything(stores)
    before = len(await everything(stores))
    asked = await asyncio.gather(*(ACTS[name](stores, at, ONCE) for _ in range(CALLERS)), return_exceptions=True)
    (done,) = (outcome for outcome in asked if isinstance(outcome, Struct))
    others = [outcome for outcome in asked if outcome is not done]
    assert all(isinstance(outcome, RequestInFlight | StoredNotFound) for outcome in others), others
    kept = await answers.find(KEY)
    assert kept is not None
    assert kept.body == told(done).body
    made = {"create": 1, "change": 0, "delete": -1}[name.partition(".")[2]]
    assert name == "Subtenants.delete" or len(await everything(stores)) == before + made


@pytest.mark.requirement("stores:once")
@pytest.mark.parametrize("name", ACTS)
async def test_what_is_refused_leaves_its_key_free(name: str, stores: Stores, answers: Answers) -> None:
    at = await one_of_everything(stores)
    nowhere = Things(a_uuid(), ChatId(a_uuid()), at.message, "nothing", AssistantId(a_uuid()))
    before = await everything(stores)
    if name == "Subtenants.create":
        with pytest.raises(AlreadyExists):
            await stores.subtenants.create(id=at.subtenant, metadata={}, once=Once(KEY, told))
    else:
        with pytest.raises(StoredNotFound):
            await ACTS[name](stores, nowhere, ONCE)
    assert await everything(stores) == before
    assert await answers.find(KEY) is None
    await ACTS[name](stores, at, ONCE)
    assert await answers.find(KEY) is not None


@pytest.mark.requirement("stores:once")
@pytest.mark.parametrize("name", ACTS)
async def test_what_can_not_be_told_is_not_done(name: str, stores: Stores, answers: Answers, backing: Backing) -> None:
    if isinstance(backing, Shelf):
        pytest.skip("a shelf has no transactions to break off")

    def break_off(outcome: Struct) -> KeptAnswer:
        raise NothingToTell

    at = await one_of_everything(stores)
    before = await everything(stores)
    with pytest.raises(NothingToTell):
        await ACTS[name](stores, at, Once(KEY, break_off))
    # A subtenant's deletion takes its chats first, bit by bit.
    assert name == "Subtenants.delete" or await everything(stores) == before
    assert await answers.find(KEY) is None


@pytest.mark.requirement("stores:once")
async def test_a_key_that_was_used_for_a_creation_is_known_before_a_name_that_is_taken(stores: Stores) -> None:
    at = await one_of_everything(stores)
    await stores.memories.create(at.subtenant, "new", 1, None, Once(KEY, told))
    with pytest.raises(RequestInFlight):
        await stores.memories.create(at.subtenant, "new", 1, None, Once(KEY, told))
    with pytest.raises(AlreadyExists):
        await stores.memories.create(at.subtenant, "new", 1, None, Once(structs.replace(KEY, key="two"), told))


@pytest.mark.requirement("stores:answers:subtenant")
async def test_a_subtenants_answers_go_with_it_and_no_others(stores: Stores, answers: Answers) -> None:
    """Those of its own keys, and those that others were told of it."""
    gone, stays = await new_subtenant(stores), await new_subtenant(stores)
    of = {name: structs.replace(KEY, key=name) for name in ("chat", "memory", "assistant", "change", "claim", "other")}
    at = Things(
        gone, (await new_chat(stores, gone)).id, (await one_of_everything(stores)).message, "k", AssistantId("")
    )
    await ACTS["Chats.create"](stores, at, Once(of["chat"], told))
    await ACTS["Memories.create"](stores, at, Once(of["memory"], told))
    await ACTS["Assistants.create"](stores, at, Once(of["assistant"], told))
    await ACTS["Subtenants.change"](stores, at, Once(of["change"], told))
    await keep(answers, of["claim"], gone)
    await keep(answers, of["other"], stays)
    own = [structs.replace(KEY, home=gone, key=name) for name in ("kept", "claimed")]
    await keep(answers, own[0], None)
    claim = await claimed(answers, own[1])
    assert all([await answers.find(key) is not None for key in of.values()])

    deletion = structs.replace(KEY, key="deletion")
    deleted = await stores.subtenants.delete(gone, None, Once(deletion, told))
    left = {name for name, key in of.items() if await answers.find(key) is not None}
    assert left == {"other"}
    assert [await answers.find(key) for key in own] == [None, None]
    assert await answers.find(deletion) == told(deleted)
    await answers.keep(claim, KeptAnswer(200, b"late"))
    assert await answers.find(own[1]) is None
    # One that is made anew under its name begins with nothing.
    await stores.subtenants.create(id=gone, metadata={})
    assert isinstance(await answers.claim(own[0]), Claim)


@pytest.mark.requirement("stores:answers:subtenant")
async def test_who_deletes_their_own_subtenant_leaves_no_answer(stores: Stores, answers: Answers) -> None:
    gone = await new_subtenant(stores)
    key = structs.replace(KEY, home=gone)
    await stores.subtenants.delete(gone, gone, Once(key, told))
    assert await answers.find(key) is None


@pytest.mark.requirement("stores:answers:subtenant")
async def test_an_answer_that_comes_behind_its_subtenants_end_is_not_kept(stores: Stores, answers: Answers) -> None:
    gone = await new_subtenant(stores)
    claim = await claimed(answers, KEY)
    await stores.subtenants.delete(gone, None)
    await answers.keep(claim, KeptAnswer(200, b"late", gone))
    assert await answers.find(KEY) is None
    await claimed(answers, KEY)


@pytest.mark.requirement("stores:answers:subtenant")
async def test_no_answer_survives_a_deletion_beside_it(stores: Stores, answers: Answers) -> None:
    for _ in range(5):
        gone = await new_subtenant(stores)
        at = Things(
            gone, (await new_chat(stores, gone)).id, (await one_of_everything(stores)).message, "k", AssistantId("")
        )
        keys = [structs.replace(KEY, key=a_uuid()) for _ in range(12)]
        creations = [ACTS["Chats.create"](stores, at, Once(key, told)) for key in keys[::2]]
        changes = [ACTS["Chats.change"](stores, at, Once(key, told)) for key in keys[1::2]]
        done = await asyncio.gather(*creations, stores.subtenants.delete(gone, None), *changes, return_exceptions=True)
        assert all(isinstance(one, Struct | ParlanceError) for one in done), done
        assert [await answers.find(key) for key in keys] == [None] * len(keys)


async def claimed(answers: Answers, key: RequestKey) -> Claim:
    claim = await answers.claim(key)
    assert isinstance(claim, Claim)
    return claim


async def keep(answers: Answers, key: RequestKey, subtenant: str | None) -> None:
    await answers.keep(await claimed(answers, key), KeptAnswer(200, b"told", subtenant))
