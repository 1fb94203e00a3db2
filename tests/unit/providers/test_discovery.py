"""Model servers on this machine are found; we ourselves and those who do not answer in time are not."""

from msgspec.structs import replace

from parlance.net.egress import Egress
from parlance.providers.catalog import HostRow, find_host
from parlance.providers.discovery import discover
from parlance.testing.script import Script
from parlance.testing.silent_port import SilentPort
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import LeakProbe


def row_at(id: str, base_url: str) -> HostRow:
    return HostRow(id=id, title=id, base_url=base_url, local=True, probe=True)


async def found(*rows: HostRow, own_port: int | None = None, seconds: float = 5.0) -> list[str]:
    egress = Egress()
    try:
        return [spec.name for spec in await discover(egress, own_port=own_port, rows=rows, seconds=seconds)]
    finally:
        await egress.close()


async def test_what_answers_is_found_in_the_catalogues_order(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as first, ScriptedUpstream(models=()) as second:
        rows = row_at("b", first.base_url), row_at("nobody", "http://127.0.0.1:9/v1"), row_at("a", second.base_url)
        assert await found(*rows) == ["b", "a"]


async def test_our_own_port_and_rows_that_are_not_looked_for_are_not_asked(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream:
        row = row_at("a", upstream.base_url)
        assert await found(row, own_port=upstream.port) == []
        assert await found(replace(row, probe=False)) == []
        assert upstream.accepted == 0


async def test_another_parlance_is_left_out(leak_probe: LeakProbe) -> None:
    greeting = Script(body=b'{"name":"Parlance","version":"1","status":"ok"}', content_type="application/json")
    async with ScriptedUpstream(greeting=greeting) as upstream:
        assert await found(row_at("a", upstream.base_url)) == []


async def test_what_is_no_model_server_is_left_out(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream:
        elsewhere = row_at("a", upstream.base_url.replace("/v1", "/other"))
        assert await found(elsewhere) == []


async def test_who_does_not_answer_in_time_is_left_out(leak_probe: LeakProbe) -> None:
    async with SilentPort() as silent, ScriptedUpstream() as upstream:
        rows = row_at("silent", silent.base_url), row_at("a", upstream.base_url)
        assert await found(*rows, seconds=0.3) == ["a"]


async def test_a_server_of_ollama_is_found_by_its_own_language(leak_probe: LeakProbe) -> None:
    ollama = find_host("ollama")
    assert ollama is not None
    async with ScriptedUpstream() as upstream:
        row = replace(ollama, base_url=upstream.base_url_of("ollama"))
        assert await found(row) == ["ollama"]
        assert [request.path for request in upstream.requests] == ["/api/tags", "/"]
