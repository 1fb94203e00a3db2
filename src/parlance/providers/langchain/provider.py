"""A LangChain chat model from the operator's file, as a Provider."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from parlance.core.deltas import Delta, Noted
from parlance.core.errors import HostFailed, HostRejected, HostTimeout, HostUnreachable, NoProvider, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import HostAnswer, HostSpec
from parlance.core.requests import Request
from parlance.dialects.complaint import Complaint
from parlance.dialects.openai_faults import OPENAI_WORDS
from parlance.dialects.refusals import error_of_answer
from parlance.providers.exchange import Beginning
from parlance.providers.langchain.asking import FAMILY, Asking, encode_asking
from parlance.providers.langchain.listening import Listener
from parlance.providers.langchain.model_file import ModelMaker, load_models
from parlance.providers.langchain.worker import Worker, closing
from parlance.providers.watchdog import timeout_of

# Faults of the operator's file or of its libraries, not of the model's host: asking again would not help.
_BUGS = (
    NotImplementedError,  # what LangChain's base classes raise for what a model class leaves out
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ImportError,
    AssertionError,
)


class LangChain:
    """Models run in a thread of the provider's own, since nobody knows what blocks in them.

    A stream that is closed early is cancelled there; a model that can't be cancelled goes on until it ends by itself,
    and nobody waits for it.
    """

    def __init__(self, spec: HostSpec, models: ModelMaker) -> None:
        self._spec = spec
        self._models = models
        self._worker = Worker(f"parlance-{spec.name}")
        self._log = logging.getLogger(f"parlance.providers.{spec.name}")

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def family(self) -> Family:
        return FAMILY

    async def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        asking = encode_asking(request, host=self.name, takes=self._models.takes)
        notices = [Noted(notice.code, notice.message) for notice in asking.notices]
        beginning = Beginning(self.name, FAMILY, None, notices)
        listener, begun = Listener(), False
        async with aclosing(self._chunks(request, asking)) as batches:
            async for batch in batches:
                deltas = [delta for one in batch for delta in ([one] if isinstance(one, Noted) else listener.feed(one))]
                if deltas:
                    yield deltas if begun else beginning.put_before(deltas)
                    begun = True
        deltas = listener.close()
        yield deltas if begun else beginning.put_before(deltas)

    async def list_models(self) -> Sequence[str]:
        return self._spec.models

    async def close(self) -> None:
        await self._worker.close()

    async def _chunks(self, request: Request, asking: Asking) -> AsyncGenerator[list[object], None]:
        """The model's chunks within the deadlines."""
        now, given = asyncio.get_running_loop().time, self._spec.deadlines
        total = min(given.total, request.timeout or given.total)
        end, phase, due = now() + total, "first", given.first
        async with aclosing(self._worker.relay(lambda: self._ask(request, asking))) as batches:
            while True:
                until = now() + due
                try:
                    async with asyncio.timeout_at(min(until, end)):
                        batch = await anext(batches, None)
                except TimeoutError as error:
                    if now() < min(until, end):
                        raise self._told(error) from error
                    raise timeout_of(self.name, given, phase if until <= end else "total") from error
                except UpstreamError:
                    raise
                except Exception as error:
                    raise self._told(error) from error
                if batch is None:
                    return
                yield batch
                phase, due = "idle", given.idle

    async def _ask(self, request: Request, asking: Asking) -> AsyncIterator[object]:
        """Runs in the provider's thread."""
        model, has_tools = asking.prepare(self._models.model_for(request))
        chunks = model.astream(asking.messages, stop=asking.stop) if asking.stop else model.astream(asking.messages)
        async with closing(chunks):
            async for chunk in chunks:
                yield chunk
                if not has_tools:
                    has_tools = True
                    yield Noted("tool_dropped", f"The model of {self.name} knows no tools: none was offered to it.")

    def _told(self, error: Exception) -> UpstreamError:
        """What a model's package raised: by the status that the host answered, where it says one."""
        kind, status = type(error).__name__, _status(error)
        self._log.debug("The model raised %s, with status %s", kind, status)
        if status is not None:
            code = getattr(error, "code", None)
            complaint = Complaint(str(error), code=code.lower() if isinstance(code, str) else "")
            return error_of_answer(HostAnswer(status, _headers(error), b""), complaint, OPENAI_WORDS, host=self.name)
        if isinstance(error, _BUGS):
            return HostRejected(f"The model of {self.name!r} can't do that: it raised {kind}.", host=self.name)
        if isinstance(error, TimeoutError) or "Timeout" in kind:
            return HostTimeout(
                f"The model of {self.name!r} gave up waiting: it raised {kind}. Try again.", host=self.name
            )
        if isinstance(error, OSError) or "Connect" in kind:
            return HostUnreachable(
                f"The model of {self.name!r} can't reach its host: it raised {kind}.", host=self.name
            )
        return HostFailed(f"The model of {self.name!r} failed: it raised {kind}. Try again.", host=self.name)


def open_langchain(spec: HostSpec) -> LangChain:
    """Runs the operator's file. `NoProvider` says what is missing or wrong in it."""
    if spec.made_by is None:
        raise NoProvider(
            f"The provider {spec.name!r} needs a Python file that makes its models. Set providers.{spec.name}.file, "
            f"and providers.{spec.name}.object to a name in it."
        )
    return LangChain(spec, load_models(spec.made_by, host=spec.name))


def _status(error: Exception) -> int | None:
    """Of packages that know HTTP, all keep it in one of these places."""
    found = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) and found >= 400 else None


def _headers(error: Exception) -> dict[str, str]:
    headers = getattr(getattr(error, "response", None), "headers", None)
    try:
        return {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}
    except (TypeError, ValueError):
        return {}
