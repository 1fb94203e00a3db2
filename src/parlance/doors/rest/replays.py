"""The same mutating request twice is carried out once: what it was answered is kept under its idempotency key."""

import hashlib
from collections.abc import Awaitable, Callable

from parlance.core.stores.answers import Answers, KeptAnswer
from parlance.core.stores.turns import RequestKey
from parlance.doors.rest.operation import Answer, Asked, Stream
from parlance.engine.idempotency import Idempotency

REPLAYED = (b"idempotent-replayed", b"true")


async def carry_out_once(
    answers: Answers, asked: Asked, given: Idempotency, act: Callable[[Asked], Awaitable[Answer | Stream]]
) -> Answer | Stream:
    """What was answered before, else what is answered now. An error is not kept: nothing was changed then.

    `IdempotencyKeyReused`, `RequestInFlight`.
    """
    key = _key(asked, given)
    claim = await answers.claim(key)
    if isinstance(claim, KeptAnswer):
        return Answer(claim.body, claim.status, (REPLAYED,))
    try:
        answer = await act(asked)
    except BaseException:
        await answers.release(claim)
        raise
    if isinstance(answer, Answer):
        await answers.keep(claim, KeptAnswer(answer.status, answer.body))
    return answer


def _key(asked: Asked, given: Idempotency) -> RequestKey:
    """Whatever else the path names is a part of what was asked."""
    operation, principal = asked.operation, asked.principal
    asked_for = hashlib.sha256(repr(sorted(asked.names.items())).encode() + given.fingerprint).digest()
    place = f"{operation.method} {operation.path}"
    return RequestKey(principal.home, principal.key_id, place, given.key, asked_for)
