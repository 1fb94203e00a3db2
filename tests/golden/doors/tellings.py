"""Reads the goldens of doors: the events of one turn, and how a door tells them to one client."""

import json
from pathlib import Path

import msgspec
from msgspec import Struct

from parlance.core.events import Event
from parlance.core.ids import Epoch, TurnId
from parlance.dialects.chat_request import Params

TURN = TurnId("01890000-0000-7000-8000-000000000001")
EPOCH = Epoch("c0ffee123456")
REQUEST = "request-1"


class Telling(Struct, frozen=True):
    """`told` is what the client receives, byte by byte."""

    name: str
    params: Params
    events: tuple[Event, ...]
    told: bytes

    def __repr__(self) -> str:
        return self.name


def tellings(door: str, file: str) -> list[Telling]:
    folder = Path(__file__).parent / door
    return [read_telling(case, file) for case in sorted(folder.iterdir()) if case.is_dir()]


def read_telling(case: Path, file: str) -> Telling:
    params = case / "params.json"
    return Telling(
        name=case.name,
        params=Params(**json.loads(params.read_text())) if params.exists() else Params(),
        events=tuple(
            msgspec.json.decode(line, type=Event) for line in (case / "events.jsonl").read_bytes().splitlines()
        ),
        told=(case / file).read_bytes(),
    )
