"""A file that can't be taken as it is changes nothing, and its line and field are named."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from parlance.store.database import Database
from parlance.store.porting.refusal import LineRefused
from tests.unit.store.porting.stored_world import World, empty, exported, imported

Lines = list[dict[str, Any]]
Harm = Callable[[Lines], Lines]

SEED = 5
"""A world with something of everything in it: `test_the_file_has_something_of_everything`."""

KINDS = ("head", "assistant", "subtenant", "memory", "chat", "turn", "piece", "message", "model_call", "end")


def of(kind: str, number: int = 0) -> Callable[[Lines], dict[str, Any]]:
    return lambda lines: [line for line in lines if line["kind"] == kind][number]


def changed(of_kind: str, /, **fields: object) -> Harm:
    def harm(lines: Lines) -> Lines:
        of(of_kind)(lines).update(fields)
        return lines

    return harm


def lacking(kind: str, field: str) -> Harm:
    def harm(lines: Lines) -> Lines:
        del of(kind)(lines)[field]
        return lines

    return harm


def without(kind: str) -> Harm:
    return lambda lines: [line for line in lines if line is not of(kind)(lines)]


def twice(of_kind: str, /, **fields: object) -> Harm:
    def harm(lines: Lines) -> Lines:
        one = of(of_kind)(lines)
        at = lines.index(one)
        lines[-1]["lines"] += 1
        return [*lines[: at + 1], {**one, **fields}, *lines[at + 1 :]]

    return harm


ELSEWHERE = "01a1fcb2-075c-7355-ab35-b3086e33e69a"

HARMS: dict[str, tuple[Harm, str]] = {
    "another program's": (lambda lines: [{"some": "json"}], "Line 1: this is no export of Parlance's"),
    "no head": (without("head"), "Line 1: this is no export of Parlance's: it does not begin with"),
    "a newer version": (changed("head", version=2), "Line 1: the file is of version 2, made by parlance test, and"),
    "cut": (lambda lines: lines[:-1], r"the file ends behind it, without its last line: it was cut"),
    "a line is gone": (without("message"), r"\$\.lines: \d+ lines should stand above, and there are \d+"),
    "more behind the end": (lambda lines: [*lines, lines[1]], "it stands behind the last line"),
    "an unknown kind": (changed("memory", kind="song"), r"\$\.kind: Invalid value 'song'"),
    "an unknown field": (changed("chat", colour="red"), r"\$: Object contains unknown field `colour`"),
    "a missing field": (lacking("turn", "epoch"), r"\$: Object missing required field `epoch`"),
    "another type": (changed("memory", key=5), r"\$\.key: Expected `str`, got `int`"),
    "a part that there is not": (changed("message", parts=[{"kind": "smell"}]), r"\$\.parts\[0\]\.kind: Invalid value"),
    "an id that is none": (changed("message", id="1"), r"\$\.id is not a UUID"),
    "a NUL": (changed("chat", title="a\0b"), r"\$\.title holds a NUL character at 1"),
    "a NUL in JSON": (changed("subtenant", metadata={"a": ["\0"]}), r"\$\.metadata\.a\[0\] holds a NUL"),
    "a key that is none": (changed("memory", key="a\tb"), r"\$\.key must be 1 to 255 characters"),
    "a text that is too long": (changed("turn", door="x" * 65), r"\$\.door is longer than 64 characters"),
    "a number that is too large": (changed("turn", head=2**63), r"\$\.head must be from 0 to 9223372036854775807"),
    "a number below zero": (changed("model_call", number=-1), r"\$\.number must be from 0 to 2147483647"),
    "a time without a zone": (
        changed("chat", created_at="2026-01-01T00:00:00"),
        r"\$\.created_at: Expected `datetime`",
    ),
    "a time beyond": (changed("chat", created_at="0001-01-01T00:00:00+10:00"), r"\$\.created_at is beyond"),
    "another's memory": (changed("memory", subtenant_id="other"), r"\$\.subtenant_id is not that of the subtenant"),
    "another's chat": (changed("chat", subtenant_id="other"), r"\$\.subtenant_id is not that of the subtenant"),
    "another chat's turn": (changed("turn", chat_id=ELSEWHERE), r"\$\.chat_id is not that of the chat above"),
    "another chat's message": (changed("message", chat_id=ELSEWHERE), r"\$\.chat_id is not that of the chat above"),
    "another turn's message": (changed("message", turn_id=ELSEWHERE), r"\$\.turn_id is not that of the turn above"),
    "another turn's log": (changed("piece", turn_id=ELSEWHERE), r"\$\.turn_id is not that of the turn above"),
    "an assistant that is not there": (changed("chat", assistant_id=ELSEWHERE), r"\$\.assistant_id: there is no such"),
    "positions that fall": (changed("turn", position=999), r"\$\.position must be 1000 or more"),
    "a position before the first": (changed("turn", position=0), r"\$\.position must be 1 or more"),
    "a turn twice": (twice("turn"), r"\$\.position must be \d+ or more"),
    "events that are none": (changed("piece", events=[{"kind": "song"}]), r"\$\.events"),
    "too few events": (changed("piece", events=[], lost=None), r"\$\.events are 0, not those from first to last"),
    "a log with a hole in its order": (changed("piece", first=4, last=3), r"\$\.first and \$\.last must be in order"),
    "half an origin": (changed("message", host="demo", model=None), r"\$\.host, \$\.model and \$\.family belong"),
    "a state that does not fit": (changed("turn", state="completed", ended_at=None), r"\$\.ended_at does not fit"),
    "a message twice": (twice("message"), r"\$\.id: .* is there already, in the database or above"),
    "a memory's key twice": (twice("memory", id=ELSEWHERE), r"\$\.key: there is a memory under this key above"),
    "a subtenant twice": (twice("subtenant"), r"\$\.id 'default' stands above already"),
    "a shared assistant too late": (twice("memory", kind="assistant"), r"\$: Object .*field"),
    "calls that are not announced": (changed("head", model_calls=False), "the first line says that there are no model"),
}


async def a_file(database: Database) -> Lines:
    await World(database, SEED).fill()
    # A number that others gave us, and that is too large for Python's own reader.
    file = (await exported(database)).replace(b"1e400", b"1.5")
    lines = [json.loads(line) for line in file.splitlines()]
    await empty(database)
    return lines


def written(lines: Lines) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def test_the_file_has_something_of_everything(sql_database: Database) -> None:
    lines = await a_file(sql_database)
    assert {line["kind"] for line in lines} == set(KINDS)
    await imported(sql_database, written(lines))


@pytest.mark.requirement("porting:bad_files")
async def test_a_bad_line_is_named_and_nothing_is_changed(sql_database: Database) -> None:
    whole = json.dumps(await a_file(sql_database))
    before = await exported(sql_database)
    for name, (harm, said) in HARMS.items():
        with pytest.raises(LineRefused) as refused:
            await imported(sql_database, written(harm(json.loads(whole))))
        assert re.match(r"Line \d+: ", refused.value.message), name
        assert re.search(said, refused.value.message), f"{name}: {refused.value.message}"
        assert refused.value.message.endswith("Nothing was imported."), name
        assert await exported(sql_database) == before, name


@pytest.mark.parametrize("bad", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"kind": "memory", "key": "\\ud83d"}', b"null"])
async def test_what_is_no_json_is_told_with_its_line(sql_database: Database, bad: bytes) -> None:
    good = written(await a_file(sql_database)).splitlines(keepends=True)
    with pytest.raises(LineRefused, match=r"^Line 3: "):
        await imported(sql_database, b"".join((*good[:2], bad, b"\n", *good[2:])))
    assert (await exported(sql_database)).count(b"\n") == 2


async def test_an_empty_file_is_no_export(sql_database: Database) -> None:
    with pytest.raises(LineRefused, match="no export of Parlance's"):
        await imported(sql_database, b"")


async def test_empty_lines_and_line_feeds_of_another_system_do_no_harm(sql_database: Database) -> None:
    lines = written(await a_file(sql_database))
    await imported(sql_database, b"\r\n".join((b"", *lines.splitlines(), b"", b"")))
    assert (await exported(sql_database)).count(b"\n") == lines.count(b"\n")
