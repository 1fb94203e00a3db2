"""Door C: a turn told again, from any cursor, without gap or double."""

import httpx
import pytest

from tests.acceptance.chat_lines import Answer, ask, begun, problem_of, resume
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED


@pytest.mark.requirement("ndjson_chat:resume:every_cursor")
async def test_resuming_behind_every_line_gives_exactly_the_rest(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/words 12")
    assert (await resume(client, told.turn_id)).lines == told.lines
    for place, cursor in enumerate(told.cursors[:-1]):
        assert (await resume(client, told.turn_id, after=cursor)).lines == told.lines[place + 1 :]


@pytest.mark.requirement("ndjson_chat:resume:terminator")
@pytest.mark.parametrize("message", ["Hello", "/fail", "/words 5 /cut 2"])
async def test_resuming_behind_the_last_line_tells_the_terminator_again(
    client: httpx.AsyncClient, message: str
) -> None:
    told = await ask(client, message)
    again = await resume(client, told.turn_id, after=told.cursors[-1])
    assert (again.lines, again.whole) == (told.lines[-1:], told.whole)


@pytest.mark.requirement("ndjson_chat:resume:while_running")
@pytest.mark.requirement("ndjson_chat:followers")
async def test_a_second_client_follows_an_answer_that_still_runs(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with begun(lab_client, "Hello") as first:
        await first.until("delta")
        async with lab_client.stream("GET", f"/chat/{first.turn_id}") as response:
            second = Answer(response)
            await second.until("delta")
            upstream.requests[0].go()
            assert (await first.rest()).lines == (await second.rest()).lines


@pytest.mark.requirement("ndjson_chat:resume:cursor_expired")
@pytest.mark.parametrize("cursor", ["nonsense", "0123456789ab-3", "-1", "0", "ahead", "foreign"])
async def test_a_cursor_that_can_not_be_served_is_410_with_a_snapshot(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream, cursor: str
) -> None:
    foreign = (await ask(lab_client, "Hello")).cursors[1]
    upstream.plan(PAUSED)
    async with begun(lab_client, "Hello") as answer:
        await answer.until("delta")
        epoch = answer.cursors[0].partition("-")[0]
        after = {"ahead": f"{epoch}-5000", "foreign": foreign}.get(cursor, cursor)
        gone = await lab_client.get(f"/chat/{answer.turn_id}", params={"after": after})
        problem = problem_of(gone, 410, "cursor_expired")
        assert problem["snapshot"] == {"parts": [{"kind": "text", "text": "one"}], "status": "running"}
        upstream.requests[1].go()
        tail = await resume(lab_client, answer.turn_id, after=problem["cursor"])
    assert tail.text == " two"
    assert tail.lines[-1]["done"]
