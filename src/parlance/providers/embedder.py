"""A host of the catalogue, asked over HTTP for embeddings."""

import asyncio
from collections.abc import Sequence

from yarl import URL

from parlance.core.embeddings import Embeddings
from parlance.core.errors import NoProvider
from parlance.core.provider import HostAnswer, HostSpec
from parlance.core.usage import Usage, add_usage
from parlance.dialects.embedding import EMBEDDING_LANGUAGES, decode_vectors
from parlance.net.egress import Egress, Way, read_answer
from parlance.net.wire import ConnectTimeout
from parlance.providers.address import Address
from parlance.providers.failures import failure_of
from parlance.providers.host import headers_of
from parlance.providers.languages import LANGUAGES
from parlance.providers.watchdog import timeout_of


class HostEmbedder:
    """An `Embedder`. Many texts go in several requests, one after the other; `total` bounds each."""

    def __init__(self, spec: HostSpec, model: str, key: str | None, *, egress: Egress) -> None:
        """`NoProvider` for a host whose family makes no embeddings, or whose address is none."""
        language = EMBEDDING_LANGUAGES.get(spec.family)
        if language is None:
            raise NoProvider(
                f"The provider {spec.name!r} makes no embeddings. Name one that does, such as openai, gemini or ollama."
            )
        self._spec = spec
        self._model = model
        self._language = language
        self._egress = egress
        self._address = Address(spec)
        self._way = Way(host=spec.name, connect=spec.deadlines.connect, proxy=spec.proxy, ca_file=spec.ca_file)
        self._headers = headers_of(spec, key)

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def model(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        vectors: list[tuple[float, ...]] = []
        model = self._model
        usage: Usage | None = None
        for first in range(0, len(texts), self._language.most):
            made = await self._embed_some(texts[first : first + self._language.most])
            vectors += made.vectors
            model, usage = made.model or model, add_usage(usage, made.usage)
        return Embeddings(tuple(vectors), model, usage)

    async def _embed_some(self, texts: Sequence[str]) -> Embeddings:
        encoded = self._language.encode(self._model, texts)
        deadlines = self._spec.deadlines
        try:
            async with asyncio.timeout(deadlines.total):
                answer = await self._post(self._address.url(encoded.path), encoded.body)
                if answer.status == 404 and self._address.open:
                    answer = await self._post(self._address.versioned(encoded.path), encoded.body)
        except ConnectTimeout as error:
            raise timeout_of(self.name, deadlines, "connect") from error
        except TimeoutError as error:
            raise timeout_of(self.name, deadlines, "total") from error
        except OSError as error:
            raise failure_of(error, host=self.name) from error
        if answer.status != 200:
            raise LANGUAGES[self._spec.family].decode_error(answer, host=self.name)
        return decode_vectors(self._language, answer.body, count=len(texts), host=self.name)

    async def _post(self, url: URL, body: bytes) -> HostAnswer:
        response = await self._egress.post(url, body, headers=self._headers, way=self._way)
        try:
            return await read_answer(response, host=self.name)
        finally:
            response.close()
