"""The description of the REST service for machines, and a page of it for people, which needs nothing from elsewhere."""

import asyncio
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.types import Scope, Send

from parlance.doors.http import Headers, answer_json, begin
from parlance.doors.rest.document import encode_document
from parlance.doors.rest.operation import Operation
from parlance.doors.rest.paths import raw_segments
from parlance.doors.visit import visit_of

_FILES = {
    b"swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    b"swagger-ui.css": b"text/css; charset=utf-8",
    b"favicon.png": b"image/png",
}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parlance: the REST service</title>
<link rel="icon" href="{root}/docs/favicon.png">
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({{url: "{root}/openapi.json", dom_id: "#page", deepLinking: true}})</script>
</body>
</html>
"""


class Pages:
    """Open to everybody: they say what the door does, and nothing of what it holds."""

    def __init__(self, operations: Sequence[Operation], version: str) -> None:
        self._operations = operations
        self._version = version

    @cached_property
    def _document(self) -> bytes:
        return encode_document(self._operations, self._version)

    async def serve(self, scope: Scope, send: Send) -> bool:
        """Whether the path was one of these, and was answered."""
        segments = raw_segments(scope)
        if scope["method"] not in ("GET", "HEAD"):
            if segments in ([b"openapi.json"], [b"docs"]):
                raise HTTPException(405, headers={"Allow": "GET, HEAD"})
            return False
        match segments:
            case [b"openapi.json"]:
                await answer_json(send, visit_of(scope), self._document)
            case [b"docs"]:
                page = _PAGE.format(root=scope.get("root_path", "")).encode()
                await _answer(scope, send, page, b"text/html; charset=utf-8")
            case [b"docs", name] if name in _FILES:
                body = await asyncio.to_thread((_folder() / name.decode()).read_bytes)
                await _answer(scope, send, body, _FILES[name], ((b"cache-control", b"max-age=86400"),))
            case _:
                return False
        return True


def _folder() -> Path:
    """The files of the page come with a library that is not imported for them: it would bring another framework."""
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("The package fastapi-offline, which holds the files of this page, is not installed.")
    return Path(spec.submodule_search_locations[0]) / "static"


async def _answer(scope: Scope, send: Send, body: bytes, kind: bytes, headers: Headers = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await begin(send, visit_of(scope), 200, ((b"content-type", kind), length, *headers))
    await send({"type": "http.response.body", "body": body})
