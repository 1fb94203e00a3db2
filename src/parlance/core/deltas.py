"""What a language says about one model call while it streams. The assembler turns these into events.

Laws. `Finished` comes last, once, and only when the wire's terminal marker arrived in a whole event; otherwise the
speaker raises `TruncatedAnswer`. Growth for a key that is not open opens a prose part of that kind; arguments never
do. Failure is an exception.
"""

from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from parlance.core.parts import Annotation, Family, Part, Signature
from parlance.core.text import whole_characters
from parlance.core.usage import Finish, Usage

Key = int | str
"""Whatever the wire keys its parts by: unique among the open parts of one model call."""


class _Delta(Struct, frozen=True, gc=False):
    pass


class Began(Struct, frozen=True):
    """The host took the request up. `model` is what it calls itself; `upstream_id` its id of the answer.

    `host` is set by the provider, since behind a route only the attempt knows which host answers.
    """

    model: str | None = None
    upstream_id: str | None = None
    host: str | None = None
    family: Family | None = None


class Noted(Struct, frozen=True):
    """Something of the request that could not be said to this host, or of its answer that was mended.

    The caller is warned.
    """

    code: str
    message: str

    def __post_init__(self) -> None:
        # It may quote the host, and becomes an event as it is.
        force_setattr(self, "message", whole_characters(self.message))


class Opened(Struct, frozen=True):
    """A part begins, as a skeleton (a call has its name) or whole. It ends only at `Done` or `Finished`."""

    key: Key
    part: Part


class TextDelta(_Delta, frozen=True):
    key: Key
    text: str


class RefusalDelta(_Delta, frozen=True):
    key: Key
    text: str


class ReasoningDelta(_Delta, frozen=True):
    key: Key
    text: str


class ArgumentsDelta(_Delta, frozen=True):
    key: Key
    text: str


class Signed(Struct, frozen=True):
    """A signature for an open part. It seals an implicitly opened one: what grows behind it is another part."""

    key: Key
    signature: Signature


class Annotated(Struct, frozen=True):
    key: Key
    annotation: Annotation


class Done(Struct, frozen=True):
    """A part ends.

    `part` may bring it whole: a missing tail is shown as growth, a signature is taken; what contradicts loses.
    """

    key: Key
    part: Part | None = None


class UsageReported(Struct, frozen=True):
    """The call's total so far: the last one counts."""

    usage: Usage


class Unknown(Struct, frozen=True):
    """Something the language has no word for; `type` names it, `raw` is the JSON it came as."""

    type: str
    raw: Raw


class Restarted(Struct, frozen=True):
    """What was shown of this call is void; another attempt begins.

    Said only by a route, and only where the caller can be told.
    """

    reason: str


class Finished(Struct, frozen=True):
    """The model has finished. `raw` is the wire's own word for it."""

    reason: Finish
    raw: str | None = None


Delta = (
    Began
    | Noted
    | Opened
    | TextDelta
    | RefusalDelta
    | ReasoningDelta
    | ArgumentsDelta
    | Signed
    | Annotated
    | Done
    | UsageReported
    | Unknown
    | Restarted
    | Finished
)
