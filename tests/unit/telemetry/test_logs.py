"""Log lines: what each bears, where they go, and that nothing can forge one."""

import asyncio
import json
import logging
import warnings
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlance.core.errors import HostFailed
from parlance.core.ids import TurnId
from parlance.core.trace import request_id, tracing, turn_id
from parlance.telemetry.logs import LogOptions, provider_logger
from tests.unit.telemetry.conftest import Record

log = structlog.stdlib.get_logger("parlance.here")
LIBRARY_LOGGERS = ["uvicorn.error", "uvicorn.access", "aiohttp.client", "asyncio", "anything"]


def test_every_line_bears_time_level_logger_request_and_turn(record: Record) -> None:
    written = record(LogOptions(format="json"))
    with tracing(request="r-1"), tracing(turn=TurnId("t-1")):
        log.info("ours", count=3)
        logging.getLogger("uvicorn.error").warning("theirs %d", 4)
    for line, event, level in zip(written.lines, ("ours", "theirs 4"), ("info", "warning"), strict=True):
        fields = json.loads(line)
        assert (fields["event"], fields["level"]) == (event, level)
        assert (fields["request_id"], fields["turn_id"]) == ("r-1", "t-1")
        assert fields["timestamp"].endswith("Z")
        assert fields["logger"]


async def test_tasks_inherit_the_trace_and_keep_it_to_themselves() -> None:
    async def inner(name: str) -> str | None:
        with tracing(turn=TurnId(name)):
            await asyncio.sleep(0)
            assert request_id.get() == "r-1"
            return turn_id.get()

    with tracing(request="r-1"):
        assert list(await asyncio.gather(inner("a"), inner("b"))) == ["a", "b"]
        assert turn_id.get() is None
    assert request_id.get() is None


def test_what_a_line_says_of_its_turn_comes_before_the_context(record: Record) -> None:
    written = record(LogOptions(format="json"))
    with tracing(turn=TurnId("t-1")):
        log.info("ours", turn_id="t-2")
    assert json.loads(written.text)["turn_id"] == "t-2"


@pytest.mark.parametrize(("terminal", "is_json"), [(True, False), (False, True)])
def test_auto_is_for_people_on_a_terminal_and_json_elsewhere(record: Record, terminal: bool, is_json: bool) -> None:
    written = record(LogOptions(), terminal=terminal)
    log.info("hello")
    assert written.text.startswith("{") is is_json
    assert "hello" in written.text


@pytest.mark.parametrize("name", LIBRARY_LOGGERS)
def test_libraries_lines_come_once_through_the_same_pipeline_and_never_below_info(record: Record, name: str) -> None:
    written = record(LogOptions(level="DEBUG", format="json"))
    logging.getLogger(name).debug("bodies and headers")
    logging.getLogger(name).info("line")
    assert [json.loads(line)["event"] for line in written.lines] == ["line"]
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)


def test_the_level_holds_and_a_provider_can_have_its_own(record: Record) -> None:
    written = record(LogOptions(level="WARNING", format="json", provider_levels=(("llm", "DEBUG"),)))
    log.info("no")
    log.warning("yes")
    structlog.stdlib.get_logger(provider_logger("lab")).info("no")
    structlog.stdlib.get_logger(provider_logger("llm")).debug("yes")
    assert [json.loads(line)["event"] for line in written.lines] == ["yes", "yes"]


def test_python_warnings_are_lines_too(record: Record) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        written = record(LogOptions(format="json"))
        warnings.warn("a loose end", stacklevel=1)
    assert "a loose end" in written.text


def test_query_strings_of_access_lines_are_left_out(record: Record) -> None:
    written = record(LogOptions(format="json"))
    line = '%s - "%s %s HTTP/%s" %d'
    logging.getLogger("uvicorn.access").info(line, "127.0.0.1:1", "GET", "/chat?q=WORDS", "1.1", 200)
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/ws/chat?q=WORDS")
    assert "WORDS" not in written.text
    assert "GET /chat?" in written.text


def test_the_file_turns_over_and_holds_json_whatever_the_console_shows(record: Record, tmp_path: Path) -> None:
    file = tmp_path / "logs" / "parlance.log"
    record(LogOptions(format="console", file=file, max_bytes=4_096, keep=2))
    for number in range(100):
        log.info("line", number=number, filler="x" * 100)
    files = sorted(path.name for path in file.parent.iterdir())
    assert files == ["parlance.log", "parlance.log.1", "parlance.log.2"]
    texts = [(file.parent / name).read_text() for name in reversed(files)]
    kept = [json.loads(line)["number"] for text in texts for line in text.splitlines()]
    assert kept == list(range(kept[0], 100))
    assert all((file.parent / name).stat().st_size <= 4_096 for name in files)


def test_a_file_that_cannot_be_written_is_an_error_at_the_start(record: Record, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        record(LogOptions(file=tmp_path))


def test_closing_puts_everything_back(record: Record) -> None:
    before = list(logging.getLogger().handlers), logging.getLogger().level
    written = record(LogOptions())
    assert written.text == ""
    assert logging.getLogger().handlers != before[0]


TEXTS = st.text(alphabet=st.characters(codec=None)) | st.sampled_from(
    [
        "\n2026-01-01 [error] forged",
        '\r\n{"event":"forged"}',
        "\x1b[2J\x1b]0;title\x07",
        "\u2028forged",
        "\ud83d",
        "\0",
        "%s %d",
    ]
)


@pytest.mark.parametrize("form", ["json", "console"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_no_value_can_end_its_line_or_drive_the_terminal(record: Record, form: str, text: str) -> None:
    written = record(LogOptions(format="console" if form == "console" else "json"))
    log.info(text, value=text, nested={text: [text]})
    logging.getLogger("library").info("%s", text)
    assert written.text.count("\n") == 2
    assert written.text.isprintable() or not set(written.text) & set("\x1b\r\0\u2028\u2029\x85\x9b\u202e")
    written.text.encode()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_tells_where_but_holds_no_variables_and_no_quotes(record: Record, form: str) -> None:
    written = record(LogOptions(format="console" if form == "console" else "json"))
    words = "SECRET-" + "WORDS"
    try:
        try:
            {"": 0}[words]
        except KeyError:
            raise HostFailed(f"it said {words}\n2026 forged") from ValueError(words)
    except HostFailed:
        log.exception("failed")
    assert words not in written.text
    assert "HostFailed (upstream_failed)" in written.text
    assert "test_logs.py" in written.text
    assert not [line for line in written.lines[1:] if not line.startswith("  |")]


def test_groups_and_the_interpreters_own_texts_are_told(record: Record) -> None:
    written = record(LogOptions(format="console"))
    log.error(
        "failed", exc_info=ExceptionGroup("several", [TypeError("no len()"), ConnectionRefusedError(111, "refused")])
    )
    assert "TypeError: no len()" in written.text
    assert "ConnectionRefusedError: [Errno 111] refused" in written.text


def test_error_texts_are_there_for_those_who_ask(record: Record) -> None:
    written = record(LogOptions(format="json", error_texts=True), ("a-secret-of-ours",))
    log.error("failed", exc_info=ValueError("the reason, and a-secret-of-ours"))
    assert "ValueError: the reason, and ***" in json.loads(written.text)["exception"]


async def test_what_a_forgotten_task_raised_is_not_quoted(record: Record) -> None:
    written = record(LogOptions(format="json"))
    future = asyncio.get_running_loop().create_future()
    future.set_exception(RuntimeError("WORDS"))
    loop = asyncio.get_running_loop()
    loop.default_exception_handler({"message": "Task exception was never retrieved", "future": future})
    future.exception()
    assert "never retrieved" in written.text
    assert "WORDS" not in written.text
