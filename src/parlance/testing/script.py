"""What a scripted upstream does with one request: the plain answer, or any way of not giving it."""

from typing import Literal

from msgspec import Struct

from parlance.testing.reply import Reply

Break = Literal["end", "fin", "chunk", "reset"]
"""How a body breaks off. `end`: the HTTP body is whole, only the language's stream is cut; `fin`: the connection is
closed before the body's end; `chunk`: closed in the middle of a chunk; `reset`: a TCP reset.
"""


class Script(Struct, frozen=True, kw_only=True):
    """The plain one answers with `reply`, streamed if the request says so.

    Instead of the reply: `refusal` (an error of `status` in the language's own form, with this message), `events`
    (streamed as they are, nothing added), `body` (one whole body; `content_type` says what), or `raw` (bytes that need
    not be HTTP, then the connection is closed).

    Time: `head_delay` and `event_delay` in seconds. A gate waits until the test opens it by `request.go()`:
    `hold_head`, before the status line; `hold_after`, once so many events have been sent. A gate never opened hangs.

    Damage: `garbage`, bytes that stand in a streamed reply as they are, right before the terminal marker's event;
    `drip`, bytes per write; `cut`, bytes of the body after which it breaks off, in the way of `break_by`;
    `stream_error` is told in the stream, with this message, in place of the terminal marker; `finish` False leaves out
    the event of the marker and what follows it; `done` False leaves out what only closes, such as `[DONE]`;
    `delimit` by `close` ends the body with the connection instead of chunks; `keep_alive` False closes behind the
    answer.
    """

    reply: Reply = Reply()
    refusal: str | None = None
    events: tuple[bytes, ...] | None = None
    body: bytes | None = None
    raw: bytes | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    head_delay: float = 0.0
    event_delay: float = 0.0
    hold_head: bool = False
    hold_after: int | None = None
    drip: int | None = None
    cut: int | None = None
    break_by: Break = "fin"
    garbage: bytes | None = None
    stream_error: str | None = None
    finish: bool = True
    done: bool = True
    delimit: Literal["chunks", "close"] = "chunks"
    keep_alive: bool = True


def saying(*text: str) -> Script:
    """The script that answers with these chunks of text."""
    return Script(reply=Reply(text=text))


def refusing(status: int, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Script:
    """The script that answers with an error in the language's own form."""
    return Script(status=status, refusal=message, headers=headers)


def failing(status: int, body: bytes, *, headers: tuple[tuple[str, str], ...] = ()) -> Script:
    """The script that answers with an error. The body is JSON if it begins like it, else a page of HTML."""
    kind = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/html"
    return Script(status=status, body=body, content_type=kind, headers=headers)
