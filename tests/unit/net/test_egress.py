"""The way out: redirects, sizes, proxies of the environment, and what stays open."""

import pytest
from yarl import URL

from parlance.core.errors import HostAnswerInvalid
from parlance.net.egress import MAX_ANSWER, Egress, Way, read_answer
from parlance.testing.script import Script, failing
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import LeakProbe

WAY = Way(host="lab")


async def test_a_redirect_is_an_answer_and_the_key_goes_nowhere_else(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as elsewhere, ScriptedUpstream(strict=False) as upstream:
        upstream.plan(failing(307, b"", headers=(("Location", f"{elsewhere.base_url}/chat/completions"),)))
        egress = Egress()
        url = URL(f"{upstream.base_url}/chat/completions")
        response = await egress.post(url, b"{}", headers={"authorization": "Bearer k"}, way=WAY)
        assert response.status == 307
        response.close()
        await egress.close()
        assert elsewhere.accepted == 0


async def test_the_environments_proxies_are_not_used(leak_probe: LeakProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with ScriptedUpstream() as upstream:
        egress = Egress()
        answer = await egress.get(URL(f"{upstream.base_url}/models"), headers={}, way=WAY)
        await egress.close()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_an_answer_that_is_too_large_is_given_up_and_an_error_is_cut(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(failing(500, b"x" * 1000), Script(body=b"x" * 1000), strict=False) as upstream:
        egress = Egress()
        url = URL(f"{upstream.base_url}/chat/completions")
        error = await egress.post(url, b"{}", headers={}, way=WAY)
        assert (await read_answer(error, host="lab", limit=10)).body == b"x" * 10
        response = await egress.post(url, b"{}", headers={}, way=WAY)
        with pytest.raises(HostAnswerInvalid, match="'lab' answered more than 10 bytes"):
            await read_answer(response, host="lab", limit=10)
        response.close()
        await egress.close()


async def test_what_is_read_whole_is_bounded(leak_probe: LeakProbe) -> None:
    names = ["x" * 1000] * (MAX_ANSWER // 1000)
    async with ScriptedUpstream(models=names) as upstream:
        egress = Egress()
        with pytest.raises(HostAnswerInvalid, match="'lab' answered more than"):
            await egress.get(URL(f"{upstream.base_url}/models"), headers={}, way=WAY)
        await egress.close()
