"""Looks for model servers at their usual ports on this machine."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from yarl import URL

from parlance.core.errors import UpstreamError
from parlance.core.provider import HostSpec, Language
from parlance.net.egress import Egress, Way
from parlance.providers.catalog import HOSTS, HostRow, HostSetup, join_host
from parlance.providers.languages import LANGUAGES

PROBE_SECONDS = 0.15
"""For all ports together."""

OWN_NAME = "parlance"


class _Greeting(Struct):
    name: str = ""


async def discover(
    egress: Egress, *, own_port: int | None, rows: Iterable[HostRow] = HOSTS, seconds: float = PROBE_SECONDS
) -> Sequence[HostSpec]:
    """The hosts that answer, in the catalogue's order, within `seconds`. Never raises.

    Left out: our own port, and any other Parlance, which would only send us on to itself.
    """
    tasks = [asyncio.ensure_future(_probe(egress, row)) for row in rows if row.probe and _port(row) != own_port]
    if not tasks:
        return ()
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return tuple(spec for task in tasks if task in done and (spec := task.result()) is not None)


async def _probe(egress: Egress, row: HostRow) -> HostSpec | None:
    language = LANGUAGES[row.family]
    spec = join_host(row.id, row, HostSetup())
    try:
        if not await _lists_models(egress, spec, language) or await _is_parlance(egress, spec):
            return None
    except (OSError, UpstreamError):
        return None
    return spec


async def _lists_models(egress: Egress, spec: HostSpec, language: Language) -> bool:
    url = URL(f"{spec.base_url}/{language.models_path.lstrip('/')}")
    answer = await egress.get(url, headers={}, way=Way(host=spec.name))
    if answer.status != 200:
        return False
    language.decode_models(answer.body)
    return True


async def _is_parlance(egress: Egress, spec: HostSpec) -> bool:
    answer = await egress.get(
        URL(spec.base_url).origin() / "", headers={"accept": "application/json"}, way=Way(host=spec.name)
    )
    try:
        return msgspec.json.decode(answer.body, type=_Greeting).name.lower() == OWN_NAME
    except msgspec.DecodeError:
        return False


def _port(row: HostRow) -> int | None:
    return URL(row.base_url or "").port
