"""What went wrong on the wire, as errors that say which host failed and what to check. Quotes no key and no address."""

import re
from collections.abc import Mapping

from parlance.core.errors import HostAnswerInvalid, HostFailed, HostUnreachable, UpstreamError
from parlance.core.provider import HostAnswer
from parlance.net.wire import NotConnected, NotHttp, Obstacle

_EXCERPT = 160
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)

# What is in the way, and what to do about it.
_OBSTACLES: Mapping[Obstacle, tuple[str, str]] = {
    "name": ("its name can't be resolved", "Check the spelling in its address (base_url)."),
    "certificate": ("its certificate isn't trusted", "If it is signed by an authority of your own, set ca_file."),
    "tls": ("no TLS connection came about", "Check whether its address should begin with http."),
    "proxy": ("the proxy did not let us through", "Check the provider's proxy."),
    "network": ("no connection came about", "Check that it is running, and that its address (base_url) is right."),
}


def failure_of(error: Exception, *, host: str) -> UpstreamError:
    """The error for a request that got no answer."""
    match error:
        case NotConnected():
            return _unreachable(host, error)
        case NotHttp():
            return HostAnswerInvalid(
                f"The host {host!r} answered something that is not HTTP. Check its address (base_url).", host=host
            )
        case _:
            return HostFailed(f"The host {host!r} closed the connection before it answered. Try again.", host=host)


def not_an_answer(answer: HostAnswer, *, host: str) -> HostAnswerInvalid:
    """The error for a success that is not of the host's language."""
    if 300 <= answer.status < 400:
        said = f"answered with a redirect (status {answer.status}), which is not followed"
    else:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip() or "no content type"
        said = f"answered with {kind[:60]} instead of a model's answer"
    quoted = excerpt(answer.body)
    return HostAnswerInvalid(
        f"The host {host!r} {said}{f': {quoted!r}' if quoted else ''}. "
        "Check that its address (base_url) is that of the API, with /v1 where the host has it.",
        host=host,
    )


def excerpt(body: bytes) -> str:
    """The beginning of a body on one line: without markup, and the title alone of a page that has one."""
    text = body[:8192].decode(errors="replace")
    title = _TITLE.search(text)
    words = (title[1] if title else _MARKUP.sub(" ", text)).split()
    line = "".join(char for char in " ".join(words) if char.isprintable())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


def _unreachable(host: str, error: NotConnected) -> HostUnreachable:
    why, hint = _OBSTACLES[error.obstacle]
    return HostUnreachable(f"The host {host!r} can't be reached: {error.reason or why}. {hint}", host=host)
