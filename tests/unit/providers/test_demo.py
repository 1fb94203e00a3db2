"""The demo plays each of its scripts, and waits by its clock alone."""

import asyncio

import pytest
from msgspec.structs import replace

from parlance.core.deltas import ArgumentsDelta, Began, Delta, Done, Finished, Opened, RefusalDelta, UsageReported
from parlance.core.errors import HostRateLimited, TruncatedAnswer
from parlance.core.ids import CallId, new_message_id
from parlance.core.messages import Message, user_message
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.provider import HostSpec
from parlance.core.requests import Request, ToolSpec
from parlance.core.usage import Finish
from parlance.net.egress import Egress
from parlance.providers.connect import connect
from parlance.providers.demo import Demo
from parlance.testing.clock import FakeClock
from tests.unit.providers.hosts import read_all, read_until_error, text_of, thoughts_of


def ask(text: str, *tools: str) -> Request:
    return Request(model="demo", messages=(user_message(text),), tools=tuple(ToolSpec(name) for name in tools))


async def play(text: str, *tools: str) -> list[Delta]:
    return await read_all(Demo(), ask(text, *tools))


def finish_of(deltas: list[Delta]) -> Finish:
    finished = deltas[-1]
    assert isinstance(finished, Finished)
    return finished.reason


def calls_of(deltas: list[Delta]) -> list[tuple[str, str]]:
    """Names and arguments of the calls, which must be opened and closed once each."""
    calls: list[tuple[str, str]] = []
    for delta in deltas:
        if isinstance(delta, Opened) and isinstance(delta.part, ToolCall):
            grown = "".join(one.text for one in deltas if isinstance(one, ArgumentsDelta) and one.key == delta.key)
            assert sum(isinstance(one, Done) and one.key == delta.key for one in deltas) == 1
            calls.append((delta.part.name, grown))
    return calls


async def test_a_plain_message_is_echoed_with_a_way_to_a_real_model() -> None:
    deltas = await play("Who are you?")
    assert deltas[0] == Began("demo", None, "demo", "demo")
    assert text_of(deltas).startswith("You said: Who are you?")
    assert "OPENAI_API_KEY" in text_of(deltas)
    assert finish_of(deltas) == "stop"


async def test_words_come_one_by_one_and_are_counted_as_an_estimate() -> None:
    deltas = await play("/words 300")
    assert len(text_of(deltas).split()) == 300
    usage = next(delta.usage for delta in deltas if isinstance(delta, UsageReported))
    assert (usage.input, usage.output, usage.estimated) == (2, 300, True)


async def test_it_thinks_aloud_when_asked() -> None:
    deltas = await play("/reason Why?")
    assert "think aloud" in thoughts_of(deltas)
    assert "Why?" in text_of(deltas)


async def test_it_calls_the_tools_on_offer_with_the_arguments_of_the_message() -> None:
    deltas = await play('/call add {"a": 1.0} /call now', "add", "now")
    assert calls_of(deltas) == [("add", '{"a": 1.0}'), ("now", "{}")]
    assert finish_of(deltas) == "tool_calls"
    ids = [delta.part.id for delta in deltas if isinstance(delta, Opened) and isinstance(delta.part, ToolCall)]
    assert len(set(ids)) == 2


async def test_a_tool_that_is_not_on_offer_is_named_in_the_text() -> None:
    deltas = await play("/call fly /call now", "now")
    assert "can't call fly. On offer: now." in text_of(deltas)
    assert calls_of(deltas) == [("now", "{}")]


async def test_no_tool_is_called_when_the_request_forbids_it() -> None:
    deltas = await read_all(Demo(), replace(ask("/call now", "now"), tool_choice="none"))
    assert calls_of(deltas) == []
    assert finish_of(deltas) == "stop"


async def test_it_answers_with_what_the_tools_returned() -> None:
    call = ToolCall(CallId("c1"), "now", "{}")
    messages = (
        user_message("/call now"),
        Message(new_message_id(), "assistant", (call,)),
        Message(new_message_id(), "tool", (ToolResult(CallId("c1"), "now", "noon"),)),
        Message(new_message_id(), "tool", (ToolResult(CallId("c2"), "day", "monday"),)),
    )
    deltas = await read_all(Demo(), Request(model="demo", messages=messages, tools=(ToolSpec("now"),)))
    assert text_of(deltas) == "The tools returned:\n- now: noon\n- day: monday"
    assert calls_of(deltas) == []


@pytest.mark.parametrize(("command", "finish"), [("/length", "length"), ("/filter", "filtered"), ("/refuse", "stop")])
async def test_it_stops_as_it_is_told(command: str, finish: Finish) -> None:
    deltas = await play(f"{command} Hello")
    assert finish_of(deltas) == finish
    assert any(isinstance(delta, RefusalDelta) for delta in deltas) == (command == "/refuse")


async def test_it_breaks_off_as_it_is_told() -> None:
    deltas, error = await read_until_error(Demo(), ask("/cut 4 /words 300"))
    assert len(text_of(deltas).split()) == 4
    assert type(error) is TruncatedAnswer


async def test_it_fails_as_it_is_told() -> None:
    deltas, error = await read_until_error(Demo(), ask("/fail rate_limited"))
    assert deltas == []
    assert type(error) is HostRateLimited
    assert error.retry_after == 2.0


async def test_it_is_slow_by_its_clock() -> None:
    clock = FakeClock()
    reading = asyncio.create_task(read_all(Demo(clock=clock), ask("/words 3 /slow 0.5")))
    await clock.until_sleepers()
    await clock.advance(1.4)
    assert not reading.done()
    await clock.advance(0.2)
    assert len(text_of(await reading).split()) == 3


async def test_it_hangs_until_it_is_cancelled() -> None:
    reading = asyncio.create_task(play("/hang"))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_it_is_a_host_of_the_catalogue_like_any_other() -> None:
    provider = connect(HostSpec(name="toy", family="demo", base_url=""), None, egress=Egress())
    assert provider.name == "toy"
    assert await provider.list_models() == ("demo",)
    await provider.close()


async def test_a_request_without_any_message_is_answered() -> None:
    assert "Parlance's demo" in text_of(await read_all(Demo(), Request(model="demo", messages=())))
