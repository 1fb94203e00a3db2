"""Recorded exchanges with hosts: for each case a request, the body of its answer, and the deltas it is read as.

`python -m tests.golden <language>` writes the deltas anew, for review in the diff.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from parlance.core.deltas import Delta
from parlance.core.errors import UpstreamError
from parlance.core.provider import Language
from parlance.net.ndjson import NdjsonReader
from parlance.net.sse import SseReader

ROOT = Path(__file__).parent / "dialects"
HOST = "golden"
_MINTED = re.compile(r"call_[0-9a-f]{32}")


class Transcript(Struct, frozen=True):
    """`quirks` are those of the host it was recorded from."""

    language: str
    name: str

    @property
    def folder(self) -> Path:
        return ROOT / self.language / self.name

    @property
    def request(self) -> bytes:
        return (self.folder / "request.json").read_bytes()

    @property
    def response(self) -> bytes:
        return next(self.folder.glob("response.*")).read_bytes()

    @property
    def quirks(self) -> frozenset[str]:
        path = self.folder / "quirks.json"
        return frozenset(json.loads(path.read_text())) if path.exists() else frozenset()

    @property
    def deltas(self) -> str:
        return (self.folder / "deltas.json").read_text()


def transcripts(language: str) -> list[Transcript]:
    return [Transcript(language, folder.name) for folder in sorted((ROOT / language).iterdir())]


def read(language: Language, body: bytes, *, quirks: frozenset[str]) -> Iterator[Delta]:
    """The deltas of a body that ends cleanly; raises what the language raises."""
    reader = SseReader() if language.framing == "sse" else NdjsonReader()
    speaker = language.speaker(host=HOST, quirks=quirks)
    for data, event in [*reader.feed(body), *reader.close()]:
        yield from speaker.feed(data, event)
    yield from speaker.close()


def tell(language: Language, transcript: Transcript) -> str:
    """What a transcript is read as, one delta on a line; an error is the last of them."""
    lines = []
    try:
        for delta in read(language, transcript.response, quirks=transcript.quirks):
            fields = json.loads(msgspec.json.encode(delta))
            lines.append({"delta": type(delta).__name__} | {key: one for key, one in fields.items() if one is not None})
    except UpstreamError as error:
        lines.append({"raises": type(error).__name__, "message": error.message})
    text = "[\n" + ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n]\n"
    minted = {id: f"call_minted_{number}" for number, id in enumerate(dict.fromkeys(_MINTED.findall(text)), 1)}
    return _MINTED.sub(lambda found: minted[found[0]], text)
