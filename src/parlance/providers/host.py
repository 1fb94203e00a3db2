"""A host of the catalogue, spoken to in its language over HTTP, as a Provider."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import msgspec

from parlance.core.deltas import Delta, Noted
from parlance.core.errors import HostUnreachable, NoProvider, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import (
    Deadlines,
    EncodedRequest,
    HostAnswer,
    HostSpec,
    Language,
    Listener,
    Windowed,
    nobody,
)
from parlance.core.requests import Request
from parlance.net.egress import MAX_ANSWER, MAX_ERROR, Egress, Way, read_answer
from parlance.net.framing import FrameReader
from parlance.net.ndjson import NdjsonReader
from parlance.net.sse import SseReader
from parlance.net.wire import Answer, ConnectTimeout
from parlance.providers.address import Address
from parlance.providers.exchange import Beginning, Exchange
from parlance.providers.failures import failure_of, not_an_answer
from parlance.providers.model_list import ModelList
from parlance.providers.watchdog import Watchdog, timeout_of
from parlance.providers.windows import Windows

LIST_SECONDS: Final = 5.0
"""How long a host may take to list its models, and how much of `connect` and `first` that leaves."""

_STREAMS = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
}
_UPSTREAM_IDS = ("x-request-id", "request-id", "apim-request-id")


class Host:
    """A `Provider`. It shares `egress` with the others, and does not close it.

    A request whose stream is closed early has its socket closed at once; one that was read to its end gives its
    connection back for the next.
    """

    def __init__(self, spec: HostSpec, language: Language, key: str | None, *, egress: Egress) -> None:
        """`NoProvider` when the row can't be used as it is: an address that is none, an unknown quirk, a key that no
        header can carry.
        """
        if strange := spec.quirks - language.quirks:
            raise NoProvider(
                f"The provider {spec.name!r} has quirks that its language does not know: {_join(strange)}."
            )
        if key and not (key.isascii() and key.isprintable()):
            raise NoProvider(f"The key of the provider {spec.name!r} has characters no key can have. Set it again.")
        self._spec = spec
        self._language = language
        self._key = key
        self._egress = egress
        self._address = Address(spec)
        self._way = Way(host=spec.name, connect=spec.deadlines.connect, proxy=spec.proxy, ca_file=spec.ca_file)
        if spec.proxy is not None:
            egress.prepare_proxied()
        self._headers = headers_of(spec, key)
        self._log = logging.getLogger(f"parlance.providers.{spec.name}")
        self._models = ModelList(self._ask_models)
        self._windows = Windows(language, self._ask, self._log) if isinstance(language, Windowed) else None

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def family(self) -> Family:
        return self._language.family

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        return self.stream_to(request, nobody)

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        spec, begun = self._spec, asyncio.get_running_loop().time()
        encoded = await self._encode(request)
        self._log.debug("Asking for %s, with %d bytes", request.model, len(encoded.body))
        deadlines = _within(spec.deadlines, request.timeout)
        response = await self._post(encoded, deadlines)
        self._log.debug("Answered with status %d", response.status)
        upstream_id = next((response.headers[name] for name in _UPSTREAM_IDS if name in response.headers), None)
        notices = [Noted(notice.code, notice.message) for notice in encoded.notices]
        beginning = Beginning(spec.name, self.family, upstream_id, notices)
        exchange = self._exchange(response, deadlines, begun)
        try:
            if deltas := await self._whole(response):
                yield beginning.put_before(deltas)
                return
            if deltas := await exchange.read():
                yield beginning.put_before(deltas)
            exchange.listen(listener)
            while deltas := await exchange.read():
                yield deltas
        except UpstreamError as error:
            raise self._told(error, upstream_id) from error.__cause__
        finally:
            exchange.close()

    async def list_models(self) -> Sequence[str]:
        return self._spec.models or await self._models.get()

    async def window(self, model: str) -> int | None:
        window = await self._windows.of(model) if self._windows is not None else None
        return window.tokens if window is not None else None

    async def close(self) -> None:
        """Nothing of its own to close: its connections are the egress's."""

    async def _encode(self, request: Request) -> EncodedRequest:
        if self._windows is not None:
            request = await self._windows.fit(request)
        encoded = self._language.encode_request(request, host=self.name, quirks=self._spec.quirks)
        if self._windows is not None:
            self._windows.keep(request.model, encoded)
        return encoded

    async def _ask(self, question: EncodedRequest) -> HostAnswer:
        """A small answer, whole."""
        url = self._address.url(question.path)
        response = await self._egress.post(url, question.body, headers=self._headers, way=self._way)
        try:
            return await read_answer(response, host=self.name)
        finally:
            response.close()

    async def _post(self, encoded: EncodedRequest, deadlines: Deadlines) -> Answer:
        try:
            async with asyncio.timeout(min(deadlines.first, deadlines.total)):
                return await self._send(encoded)
        except ConnectTimeout as error:
            raise timeout_of(self.name, deadlines, "connect") from error
        except TimeoutError as error:
            phase = "first" if deadlines.first <= deadlines.total else "total"
            raise timeout_of(self.name, deadlines, phase) from error
        except OSError as error:
            raise failure_of(error, host=self.name) from error

    async def _send(self, encoded: EncodedRequest) -> Answer:
        """The response, from behind `/v1` if that is where the host's API turns out to be."""
        path, headers = encoded.path, {**self._headers, **dict(encoded.headers)}
        response = await self._egress.post(self._address.url(path), encoded.body, headers=headers, way=self._way)
        if response.status != 404 or not self._address.open:
            if response.status < 300:
                self._address.settle(versioned=False)
            return response
        try:
            other = await self._egress.post(self._address.versioned(path), encoded.body, headers=headers, way=self._way)
        except BaseException:
            response.close()
            raise
        found, missed = (response, other) if other.status == 404 else (other, response)
        missed.close()
        if found is other:
            self._address.settle(versioned=True)
        return found

    def _exchange(self, response: Answer, deadlines: Deadlines, begun: float) -> Exchange:
        speaker = self._language.speaker(host=self.name, quirks=self._spec.quirks)
        watchdog = Watchdog(self.name, deadlines, begun)
        exchange = Exchange(response, reader=self._reader(response), speaker=speaker, watchdog=watchdog, host=self.name)
        watchdog.bite = exchange.give_up
        return exchange

    def _reader(self, response: Answer) -> FrameReader:
        framing = _STREAMS.get(_kind(response), self._language.framing)
        return SseReader(host=self.name) if framing == "sse" else NdjsonReader(host=self.name)

    async def _whole(self, response: Answer) -> list[Delta]:
        """The deltas of an answer that is no stream; empty for one that is. Raises what an error stands for."""
        ok = 200 <= response.status < 300
        if ok and (_kind(response) in _STREAMS or not _kind(response)):
            return []
        try:
            answer = await read_answer(response, host=self.name, limit=MAX_ANSWER if ok else MAX_ERROR)
        except OSError as error:
            raise failure_of(error, host=self.name) from error
        if response.status >= 400:
            raise self._language.decode_error(answer, host=self.name)
        if ok and answer.body.lstrip()[:1] == b"{":
            return self._language.decode_answer(answer, host=self.name, quirks=self._spec.quirks)
        raise not_an_answer(answer, host=self.name)

    async def _ask_models(self) -> tuple[str, ...]:
        path = self._language.models_path
        try:
            async with asyncio.timeout(LIST_SECONDS):
                answer = await self._egress.get(self._address.url(path), headers=self._headers, way=self._way)
                if answer.status == 404 and self._address.open:
                    answer = await self._egress.get(self._address.versioned(path), headers=self._headers, way=self._way)
        except OSError as error:
            raise self._unlisted(error) from error
        return self._models_of(answer)

    def _models_of(self, answer: HostAnswer) -> tuple[str, ...]:
        try:
            if answer.status >= 400:
                raise self._language.decode_error(answer, host=self.name)
            if answer.status >= 300:
                raise not_an_answer(answer, host=self.name)
            return self._language.decode_models(answer.body)
        except UpstreamError as error:
            raise self._told(error, None) from error.__cause__

    def _unlisted(self, error: Exception) -> UpstreamError:
        if not isinstance(error, TimeoutError):
            return failure_of(error, host=self.name)
        text = f"The host {self.name!r} did not list its models within {LIST_SECONDS:g} s. Name them in its `models`."
        return HostUnreachable(text, host=self.name)

    def _told(self, error: UpstreamError, upstream_id: str | None) -> UpstreamError:
        """The error with what only we know of it; a host that echoes our key is not quoted."""
        error.host = error.host or self.name
        error.upstream_id = error.upstream_id or upstream_id
        if self._key and self._key in error.message:
            error.message = error.message.replace(self._key, "***")
            error.args = (error.message,)
        return error


def _within(deadlines: Deadlines, timeout: float | None) -> Deadlines:
    """The host's deadlines, and no more than the caller gives."""
    if timeout is None or timeout >= deadlines.total:
        return deadlines
    return msgspec.structs.replace(deadlines, total=timeout)


def headers_of(spec: HostSpec, key: str | None) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    headers.update({name.lower(): value for name, value in spec.headers})
    if key:
        headers[spec.key_header.lower()] = f"Bearer {key}" if spec.key_header.lower() == "authorization" else key
    return headers


def _kind(response: Answer) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _join(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))
