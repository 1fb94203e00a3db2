"""What the chat puts on a terminal, and how it reads addresses and its command line."""

import io
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from parlance.cli.chat.connection import Server, read_server
from parlance.cli.chat.conversation import Conversation
from parlance.cli.chat.markdown_stream import MarkdownStream, blocks
from parlance.cli.chat.plain import PlainOutput
from parlance.cli.chat.printable import one_line, printable
from parlance.cli.chat.prompt import open_history
from parlance.cli.chat.saving import save_conversation
from parlance.cli.chat.terminal_output import TerminalOutput
from parlance.cli.chat.told import CallTold, Ended, ReasoningTold, ResultTold, TextTold, Told, Warned
from parlance.cli.main import COMMANDS, main

DOCUMENT = """\
# Title

A paragraph that goes on
for two lines.

- one
- two

  still two

```python
def f():

    return 1
```

| a | b |
|---|---|
| 1 | <b>2</b> |

The end.
"""


def console_of(out: io.StringIO, *, height: int = 12) -> Console:
    return Console(file=out, force_terminal=False, width=60, height=height, highlight=False)


def stream(pieces: list[str]) -> list[str]:
    out = io.StringIO()
    markdown = MarkdownStream(console_of(out))
    for piece in pieces:
        markdown.add(piece)
    markdown.end()
    return [line.rstrip() for line in out.getvalue().splitlines()]


@settings(max_examples=10)
@given(st.lists(st.integers(min_value=0, max_value=3 * len(DOCUMENT)), max_size=40))
def test_markdown_that_comes_in_pieces_is_shown_as_if_it_came_whole(cuts: list[int]) -> None:
    text = 3 * DOCUMENT
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    assert stream(pieces) == stream([text])


def test_every_block_is_shown_once_and_html_as_it_was_written() -> None:
    shown = "\n".join(stream(list(DOCUMENT)))
    for word in ("Title", "for two lines.", "still two", "return 1", "<b>2</b>", "The end."):
        assert shown.count(word) == 1


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", ""),
        ("one\n\ntwo\nthree", "two\nthree"),
        ("# One\ntwo", "two"),
        ("one\n\n```\ntwo\n\nthree", "```\ntwo\n\nthree"),
        ("- one\n\n- two", "- one\n\n- two"),
        ("\n\n", "\n\n"),
    ],
)
def test_the_last_block_is_the_one_that_may_still_change(text: str, rest: str) -> None:
    assert blocks(text)[-1] == rest
    assert "".join(blocks(text)) == text


def show(*told: Told, usage: bool = False) -> str:
    out = io.StringIO()
    output = TerminalOutput(console_of(out), usage=usage)
    for one in told:
        output.show(one)
    output.close()
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_an_answer_on_a_terminal_has_thoughts_tools_and_text_in_their_order() -> None:
    shown = show(
        ReasoningTold("Let me "),
        ReasoningTold("see."),
        CallTold("c", "stock", '{"item":\n"tea"}', "server"),
        ResultTold("c", "twelve\npieces " + "x" * 500, None),
        ResultTold("d", None, "sold out"),
        TextTold("Twelve [bold]pieces"),
        Warned("w", "Careful."),
        Ended("failed", "1", code="x", message="It broke."),
    )
    lines = [line for line in shown.splitlines() if line]
    assert lines[:2] == ["Let me see.", '⚙ stock {"item": "tea"}']
    assert lines[2].startswith("  → twelve pieces xxx")
    assert (len(lines[2]), lines[2][-1]) == (59, "…")
    assert lines[3:] == ["  ✗ sold out", "Twelve [bold]pieces", "warning: Careful.", "It broke."]


def test_nothing_that_is_shown_can_steer_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08"
    told: list[Told] = [TextTold(evil), CallTold("c", evil, evil, "server"), ResultTold("c", evil, None)]
    shown = show(*told, ReasoningTold(evil), Warned("w", evil), Ended("failed", "1", message=evil))
    assert not set(shown) & set("\x1b\x07\x08\x9b")
    assert printable("a\tb\nc\r\n") == "a\tb\nc\n"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_short_form_is_one_line_of_its_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert len(line.splitlines()) <= 1


def test_plain_text_ends_with_a_newline_of_its_own_only_where_it_needs_one() -> None:
    for text, shown in (("Hello", "Hello\n"), ("Hello\n", "Hello\n"), ("", "")):
        out, err = io.StringIO(), io.StringIO()
        output = PlainOutput(out, err, usage=False)
        output.show(TextTold(text))
        output.show(Ended("completed", "1"))
        assert (out.getvalue(), err.getvalue()) == (shown if text else "\n", "") or text == ""


@pytest.mark.parametrize(
    ("given_address", "address", "socket"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws/chat"),
        ("https://chat.example/", "https://chat.example", "wss://chat.example/ws/chat"),
        ("wss://chat.example/parlance/ws/chat", "https://chat.example/parlance", "wss://chat.example/parlance/ws/chat"),
        (" HTTP://[::1]:9000 ", "http://[::1]:9000", "ws://[::1]:9000/ws/chat"),
    ],
)
def test_an_address_may_be_written_in_several_ways(given_address: str, address: str, socket: str) -> None:
    server = read_server(given_address, "key-0123456789")
    assert (server.address, server.socket_address) == (address, socket)
    assert "key-0123456789" not in repr(server)


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:8000", "chat.example", "ftp://x", "http://", "http://u:p@x", "http://x:99999", "http://[x"],
)
def test_what_is_no_address_is_refused_with_a_reason(address: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        read_server(address, None)


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="--key") as refusal:
        read_server("http://x", "secret\nkey")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "local"),
    [("http://127.0.0.2:1", True), ("http://[::1]", True), ("http://a.localhost", True), ("http://10.0.0.1", False)],
)
def test_only_this_machine_is_asked_without_a_proxy(address: str, local: bool) -> None:
    assert Server(address).local is local


def test_a_key_that_would_travel_in_the_clear_is_warned_about() -> None:
    run = CliRunner().invoke(
        main, ["chat", "--url", "http://chat.example", "--key", "key-0123456789", "--set", "a=b", "Hi"]
    )
    assert run.exit_code == 2
    run = CliRunner().invoke(main, ["chat", "--url", "http://chat.example", "--key", "key-0123456789"], input=" \n")
    assert run.exit_code == 2
    assert "unencrypted" in run.output
    assert "There is no question" in run.output
    assert "key-0123456789" not in run.output


def test_a_question_that_is_no_text_is_refused() -> None:
    run = CliRunner().invoke(main, ["chat", "--url", "http://127.0.0.1:1"], input=b"\xff\xfe")
    assert run.exit_code == 2
    assert "UTF-8" in run.output


def test_a_history_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    open_history(tmp_path / "data").store_string("Hello")
    file = tmp_path / "data" / "chat_history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(open_history(tmp_path / "data").load_history_strings()) == ["Hello"]


def test_a_conversation_is_not_saved_over_another_file(tmp_path: Path) -> None:
    path = save_conversation(Conversation(), str(tmp_path / "talk.md"))
    assert path.read_text() == "# Conversation\n"
    with pytest.raises(FileExistsError):
        save_conversation(Conversation(), str(path))


def test_every_command_is_listed_and_explained() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output
    for command in COMMANDS:
        assert f"  {command} " in listed
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["sing"]).exit_code == 2
