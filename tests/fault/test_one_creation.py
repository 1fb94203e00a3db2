"""Requests that change something are sent under a key, cut short, and sent again: each is carried out once."""

import asyncio
import json
import random
from pathlib import Path
from typing import Literal

import httpx
import msgspec
import pytest
from msgspec import Struct
from sqlalchemy import text

from parlance.store.addresses import read_address
from tests.fault.nurseries import nursery
from tests.fault.once_nursery import Order
from tests.fault.plain_http import posted
from tests.fault.rest_in_sql import answered, rest_in_sql
from tests.fault.several import new_chat, several
from tests.probes.databases import open_unhurried, sqlite_with_tables
from tests.unit.doors.rest.rest_house import Json

KILLS, MANY_KILLS = 12, 500
SEED = 20_261_121
PATIENCE = 30.0
CALLERS = 200

Verb = Literal["create", "change", "delete"]
VERBS: tuple[Verb, ...] = ("create", "change", "delete")


class Kind(Struct, frozen=True):
    """How something is made, found and changed. `name` is the field that tells one from another."""

    all: str
    one: str
    name: str
    changed: dict[str, object]
    more: dict[str, object] = {}


KINDS = (
    Kind("/subtenants", "/subtenants/{id}", "name", {"metadata": {"plan": "paid"}}),
    Kind("/subtenants/ann/chats", "/chats/{id}", "title", {"system_message": "Be brief."}),
    Kind("/subtenants/ann/memories", "/subtenants/ann/memories/{key}", "key", {"value": 2}, {"value": 1}),
    Kind("/assistants", "/assistants/{id}", "name", {"description": "Brief."}),
)


class Request(Struct, frozen=True):
    """One that is to be carried out once. `before`: what of its name there was then."""

    kind: Kind
    name: str
    method: str
    path: str
    body: dict[str, object] | None
    before: list[Json]

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        return await answered(client, self.method, self.path, self.body, self.name)

    def order(self, address: str, at: int) -> Order:
        return Order(address, self.method, self.path, self.body, self.name, at)


async def new_request(client: httpx.AsyncClient, kind: Kind, verb: Verb, name: str) -> Request:
    made = {kind.name: name, **kind.more}
    if verb == "create":
        return Request(kind, name, "POST", kind.all, made, [])
    thing = (await answered(client, "POST", kind.all, made, f"before {name}")).json()
    path = kind.one.format(**thing)
    if verb == "change":
        return Request(kind, name, "PUT", path, kind.changed, [thing])
    return Request(kind, name, "DELETE", path, None, [thing])


async def named(client: httpx.AsyncClient, kind: Kind, name: str) -> list[Json]:
    """All of that name."""
    found: Json = []
    while len(found) % 1000 == 0:
        listed = (await answered(client, "GET", f"{kind.all}?skip={len(found)}&limit=1000")).json()
        listed = listed["assistants"] if isinstance(listed, dict) else listed
        found += listed
        if not listed:
            break
    return [one for one in found if one[kind.name] == name]


async def life(process: asyncio.subprocess.Process, order: Order) -> int | None:
    """How many points there were to die at; None of one that died."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    reached = None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stdout:
            match line.decode().split():
                case ["reached", points]:
                    reached = int(points)
                case ["ended", status]:
                    assert status == ("-9" if reached is None else "0")
                    return reached
                case other:
                    raise AssertionError(f"the nursery said {other}")
    raise AssertionError("the nursery is gone")


async def check_once(client: httpx.AsyncClient, request: Request, *, carried_out: bool) -> bool:
    """Sent again, it is carried out once altogether; whether it had been, before that."""
    found = await named(client, request.kind, request.name)
    done = found != request.before
    assert done or not carried_out
    first, second = await request.send(client), await request.send(client)
    assert "idempotent-replayed" in first.headers or not done
    assert second.headers["idempotent-replayed"] == "true"
    assert first.content == second.content
    told, now = first.json(), await named(client, request.kind, request.name)
    match request.method:
        case "DELETE":
            assert told.pop("message")
            assert ([told], now) == (request.before, [])
        case "PUT":
            assert now == [told]
            assert {**told, **request.kind.changed} == told
            assert told["id"] == request.before[0]["id"]
        case _:
            assert now == [told]
    assert not done or now == found
    return done


async def killed_at_every_point(address: str, kills: int) -> None:
    """A child dies at each of as many points of its request; all of them in turn, or a choice."""
    chance = random.Random(SEED)
    outcomes = set()
    async with nursery("tests.fault.once_nursery") as process:
        points = []
        for kind in KINDS:
            for verb in VERBS:
                async with rest_in_sql(address) as client:
                    request = await new_request(client, kind, verb, f"whole {verb}")
                reached = await life(process, request.order(address, 0))
                assert reached
                async with rest_in_sql(address) as client:
                    await check_once(client, request, carried_out=True)
                points += [(kind, verb, at) for at in range(1, reached + 1)]
        if kills > len(points):
            chosen = [points[number % len(points)] for number in range(kills)]
        else:
            chosen = [points[0], *chance.sample(points[1:-1], kills - 2), points[-1]]
        for number, (kind, verb, at) in enumerate(chosen):
            async with rest_in_sql(address) as client:
                request = await new_request(client, kind, verb, f"{verb} {number}")
            assert await life(process, request.order(address, at)) is None
            await connections_gone(address)
            async with rest_in_sql(address) as client:
                outcomes.add(await check_once(client, request, carried_out=False))
    # Some died before all was kept, and some behind it.
    assert outcomes == {True, False}


async def connections_gone(address: str) -> None:
    """A server may still be committing what the dead had asked for."""
    if not address.startswith("postgresql"):
        return
    alive = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    database = open_unhurried(read_address(address), connections=2)
    async with asyncio.timeout(PATIENCE):
        while True:
            async with database.reading() as connection:
                if (await connection.execute(alive)).scalar() == 0:
                    break
    await database.close()


@pytest.mark.requirement("durability:idempotency:kills")
async def test_no_kill_doubles_what_is_sent_again_on_sqlite(tmp_path: Path, long_run: bool) -> None:
    await (await sqlite_with_tables(tmp_path)).close()
    await hold(f"sqlite:///{tmp_path / 'parlance.db'}", long_run)


@pytest.mark.requirement("durability:idempotency:kills")
async def test_no_kill_doubles_what_is_sent_again_on_postgresql(postgres_with_tables: str, long_run: bool) -> None:
    await hold(postgres_with_tables, long_run)


async def hold(address: str, long_run: bool) -> None:
    async with rest_in_sql(address) as client:
        await answered(client, "POST", "/subtenants", {"id": "ann"}, "first of all")
    await killed_at_every_point(address, MANY_KILLS if long_run else KILLS)


@pytest.mark.requirement("durability:idempotency:creations")
async def test_callers_with_one_key_make_one_chat_and_are_all_told_of_it(database_url: str, tmp_path: Path) -> None:
    async with several(tmp_path, database_url) as processes:
        client = processes[-1].client
        others = await new_chat(client)
        path, keyed = "/api/v1/subtenants/default/chats", {"idempotency-key": "once"}

        async def create(port: int) -> bytes:
            async with posted(port, path, {"title": "One"}, keyed) as answer:
                assert answer.status == 200
                return await answer.body()

        ports = [doors.server.port for doors in processes]
        told = await asyncio.gather(*(create(ports[number % len(ports)]) for number in range(CALLERS)))
        assert len(set(told)) == 1
        chats = (await client.get(path)).json()
        assert [chat["id"] for chat in chats] == [others, json.loads(told[0])["id"]]
