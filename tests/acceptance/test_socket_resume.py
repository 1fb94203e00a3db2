"""Door A: a turn is told again from any cursor, here or at another connection, without gap or double."""

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import open_client
from tests.acceptance.chat_lines import resume as resume_lines
from tests.acceptance.chat_socket import ChatSocket, Frame, open_chat, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess


def renamed(frames: list[Frame], request_id: str) -> list[Frame]:
    return [{**frame, "request_id": request_id} for frame in frames]


@pytest.mark.requirement("ws_chat:resume:every_cursor")
@pytest.mark.requirement("ws_chat:resume:after_end")
@pytest.mark.requirement("ws_chat:resume:request_id_of_resume")
async def test_resuming_behind_every_frame_gives_exactly_the_rest(demo: ServerProcess) -> None:
    async with open_chat(demo) as first, open_chat(demo) as second:
        frames = await first.ask("/reason /words 12", params={"reasoning": True})
        for place, frame in enumerate(frames[:-1]):
            again = f"again-{place}"
            await second.resume(
                turn_id=frame["turn_id"],
                after=frame["cursor"],
                request_id=again,
                payload={"params": {"reasoning": True}},
            )
            assert await second.answer(again) == renamed(frames[place + 1 :], again)


@pytest.mark.requirement("ws_chat:resume:after_end")
async def test_resuming_behind_the_last_frame_tells_the_ending_again(chat: ChatSocket) -> None:
    last = (await chat.ask("Hello"))[-1]
    await chat.resume(turn_id=last["turn_id"], after=last["cursor"], request_id="again")
    assert await chat.answer("again") == renamed([last], "again")


@pytest.mark.requirement("ws_chat:resume:by_request_id")
@pytest.mark.requirement("ws_chat:resume:from_beginning")
async def test_resuming_by_request_id_from_the_beginning(chat: ChatSocket) -> None:
    frames = await chat.ask("/words 3", request_id="mine")
    await chat.resume(request_id="mine")
    assert await chat.answer("mine") == frames


@pytest.mark.requirement("ws_chat:resume:original_request_id")
async def test_without_an_id_of_its_own_a_resume_bears_the_original_one(demo: ServerProcess) -> None:
    async with open_chat(demo) as first:
        frames = await first.ask("Hello", request_id="original")
    async with open_chat(demo) as second:
        await second.resume(turn_id=frames[0]["turn_id"])
        assert await second.answer("original") == frames


@pytest.mark.requirement("ws_chat:resume:while_running")
@pytest.mark.requirement("ws_chat:followers")
async def test_a_second_connection_follows_a_turn_that_still_runs(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with open_chat(lab) as first, open_chat(lab) as second:
        request_id = await first.chat("Hello", request_id="shared")
        begun = await first.frames_until(request_id, "text")
        await second.resume(turn_id=begun[0]["turn_id"])
        assert await second.frames_until("shared", "text") == begun
        upstream.requests[0].go()
        assert await first.answer("shared") == await second.answer("shared")


@pytest.mark.requirement("ws_chat:disconnect")
@pytest.mark.requirement("ws_chat:resume:by_request_id")
async def test_a_client_that_was_cut_off_goes_on_where_it_was(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_chat(lab) as chat:
        await chat.chat("Hello", request_id="cut")
        seen = await chat.frames_until("cut", "text")
        chat.connection.transport.abort()
    upstream.requests[0].go()
    async with open_chat(lab) as chat:
        await chat.resume(request_id="cut", after=seen[-1]["cursor"])
        rest = await chat.answer("cut")
    assert text_of(seen) + text_of(rest) == "one two"
    assert rest[-1]["status"] == "complete"


@pytest.mark.parametrize("cursor", ["nonsense", "0123456789ab-3", "-1", "ab-99999999999999999999", "ahead", "foreign"])
@pytest.mark.requirement("ws_chat:resume:cursor_expired")
async def test_a_cursor_that_can_not_be_served_gives_a_snapshot_and_then_the_tail(
    lab_chat: ChatSocket, upstream: PlannedUpstream, cursor: str
) -> None:
    upstream.plan(Script(reply=Reply(text=("other",))), PAUSED)
    foreign = (await lab_chat.ask("Hello"))[1]["cursor"]
    request_id = await lab_chat.chat("Hello")
    seen = await lab_chat.frames_until(request_id, "text")
    epoch = seen[0]["cursor"].partition("-")[0]
    after = {"ahead": f"{epoch}-5000", "foreign": foreign}.get(cursor, cursor)
    await lab_chat.resume(turn_id=seen[0]["turn_id"], after=after, request_id="late")
    snapshot = await lab_chat.frame_of("late")
    assert snapshot["status"] == "snapshot"
    assert snapshot["snapshot"] == {"parts": [{"kind": "text", "text": "one"}], "status": "running"}
    assert snapshot["cursor"].startswith(f"{epoch}-")
    upstream.requests[1].go()
    tail = await lab_chat.answer("late")
    assert text_of(tail) == " two"
    assert tail[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:resume:cursor_expired")
async def test_a_bad_cursor_of_an_ended_turn_gives_the_whole_and_its_ending(chat: ChatSocket) -> None:
    frames = await chat.ask("/words 4")
    await chat.resume(turn_id=frames[0]["turn_id"], after="0-0", request_id="late")
    snapshot, last = await chat.answer("late")
    assert snapshot["snapshot"] == {"parts": [{"kind": "text", "text": text_of(frames)}], "status": "completed"}
    assert last["status"] == "complete"
    assert snapshot["cursor"] == last["cursor"] == frames[-1]["cursor"]


@pytest.mark.requirement("ws_chat:resume:unknown")
async def test_resuming_what_is_not_there_is_an_error(chat: ChatSocket) -> None:
    await chat.resume(turn_id="01890000-0000-7000-8000-000000000000", request_id="lost")
    refusal = await chat.frame()
    assert (refusal["status"], refusal["code"], refusal["request_id"]) == ("error", "turn_not_found", "lost")


@pytest.mark.requirement("ws_chat:resume:request_id_in_use")
async def test_a_resume_can_not_take_the_id_of_a_request_that_runs(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    await lab_chat.chat("Hello", request_id="busy")
    begun = await lab_chat.frames_until("busy", "text")
    await lab_chat.resume(turn_id=begun[0]["turn_id"], request_id="busy")
    refusal = await lab_chat.frame_of(None)
    assert (refusal["code"], refusal["rejected_request_id"]) == ("request_id_in_use", "busy")
    upstream.requests[0].go()
    assert (await lab_chat.answer("busy"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:resume:other_door")
async def test_what_began_here_is_told_at_the_other_door(demo: ServerProcess) -> None:
    async with open_chat(demo) as chat, open_client(demo) as client:
        frames = await chat.ask("/words 9")
        told = await resume_lines(client, frames[0]["turn_id"], after=frames[3]["cursor"])
    assert told.text == text_of(frames[4:])
    assert told.cursors == [frame["cursor"] for frame in frames[4:]]
