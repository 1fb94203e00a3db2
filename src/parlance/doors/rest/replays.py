"""The same mutating request twice is carried out once: what it was answered is kept under its idempotency key."""

from collections.abc import Awaitable, Callable

from parlance.core.errors import RequestInFlight, StoredNotFound
from parlance.core.stores.answers import Answers, KeptAnswer
from parlance.core.stores.request_keys import RequestKey
from parlance.doors.rest.operation import Act, Answer, Asked, Stream

REPLAYED = (b"idempotent-replayed", b"true")


async def carry_out_once(answers: Answers, asked: Asked, act: Act) -> Answer | Stream:
    """What was answered before, else what is answered now. An error is not kept: nothing was changed then.

    `IdempotencyKeyReused`, `RequestInFlight`.
    """
    key = asked.request_key
    if key is None:
        return await act(asked)
    carry_out = _with_its_store if asked.operation.keyed == "by its store" else behind_a_claim
    return await carry_out(answers, key, lambda: act(asked))


async def _with_its_store(
    answers: Answers, key: RequestKey, act: Callable[[], Awaitable[Answer | Stream]]
) -> Answer | Stream:
    """The answer is kept by whoever is asked to do it: when that is done, it is there."""
    if (kept := await answers.find(key)) is None:
        try:
            return await act()
        except (RequestInFlight, StoredNotFound):
            # The same request, sent at the same time, may have come first; what it deletes is not there any more.
            if (kept := await answers.find(key)) is None:
                raise
    return _replay(kept)


async def behind_a_claim(
    answers: Answers, key: RequestKey, act: Callable[[], Awaitable[Answer | Stream]]
) -> Answer | Stream:
    """As `carry_out_once`, under a key of the caller's own making."""
    claim = await answers.claim(key)
    if isinstance(claim, KeptAnswer):
        return _replay(claim)
    try:
        answer = await act()
    except BaseException:
        await answers.release(claim)
        raise
    if isinstance(answer, Answer):
        await answers.keep(claim, KeptAnswer(answer.status, answer.body, answer.subtenant))
    return answer


def _replay(kept: KeptAnswer) -> Answer:
    return Answer(kept.body, kept.status, (REPLAYED,))
