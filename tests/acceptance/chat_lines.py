"""A client of the NDJSON chat, on `httpx`: reads lines, and tells a body that ended from one that was broken off."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.acceptance.server_process import ServerProcess

DEADLINE = 15.0

Line = dict[str, Any]


class Answer:
    """`lines` as they came. `whole`: the body ended as HTTP has it, and was not broken off."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines: list[Line] = []
        self.whole: bool | None = None
        self._texts = response.aiter_lines()

    async def line(self) -> Line | None:
        """The next line; None at the end."""
        try:
            async for text in self._texts:
                if text:
                    self.lines.append(json.loads(text))
                    return self.lines[-1]
            self.whole = True
        except httpx.RemoteProtocolError:
            self.whole = False
        return None

    async def rest(self) -> "Answer":
        """Read to the end."""
        while await self.line() is not None:
            pass
        return self

    async def until(self, key: str) -> Line:
        """The first line with this key."""
        while (line := await self.line()) is not None:
            if key in line:
                return line
        raise AssertionError(f"no line with {key!r} came: {self.lines}")

    @property
    def text(self) -> str:
        return "".join(line["delta"] for line in self.lines if "delta" in line)

    @property
    def turn_id(self) -> str:
        meta: dict[str, str] = self.lines[0]["meta"]
        return meta["turn_id"]

    @property
    def keys(self) -> list[str]:
        """What each line says first; neighbouring deltas once."""
        found: list[str] = []
        for line in self.lines:
            key = next(iter(line))
            if found[-1:] != [key]:
                found.append(key)
        return found

    @property
    def cursors(self) -> list[str]:
        return [line["cursor"] for line in self.lines]


@asynccontextmanager
async def open_client(
    server: ServerProcess, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    # Nothing speaks TLS here, and reading the certificates of the whole world takes its time.
    async with httpx.AsyncClient(
        base_url=server.address, headers=headers, timeout=DEADLINE, trust_env=False, verify=False
    ) as client:
        yield client


@asynccontextmanager
async def begun(client: httpx.AsyncClient, message: str, **body: object) -> AsyncIterator[Answer]:
    """An answer that is being read. Leaving the block disconnects."""
    async with client.stream("POST", "/chat", json={"message": message, **body}) as response:
        assert response.status_code == 200, await response.aread()
        yield Answer(response)


async def ask(client: httpx.AsyncClient, message: str, **body: object) -> Answer:
    """An answer, read to its end."""
    async with begun(client, message, **body) as answer:
        return await answer.rest()


async def resume(client: httpx.AsyncClient, turn_id: str, **query: str) -> Answer:
    """A turn told again, to its end."""
    async with client.stream("GET", f"/chat/{turn_id}", params=query) as response:
        assert response.status_code == 200, await response.aread()
        return await Answer(response).rest()


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer must be, with all that every problem has."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert problem["title"]
    assert problem["type"] == "about:blank"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem
