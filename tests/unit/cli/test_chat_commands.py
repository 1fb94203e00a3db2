"""What a typed line of the chat is."""

import pytest

from parlance.cli.chat.commands import (
    HELP,
    ChooseModel,
    Help,
    Instruct,
    Line,
    ListModels,
    Misread,
    New,
    Question,
    Quit,
    Save,
    read_line,
)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Hello", Question("Hello")),
        (" two\nlines \n", Question("two\nlines")),
        ("//words 3", Question("/words 3")),
        ("/help", Help()),
        ("/NEW", New()),
        ("/quit", Quit()),
        ("/exit", Quit()),
        ("/models", ListModels()),
        ("/model", ChooseModel(None)),
        ("/model lab/qwen3  ", ChooseModel("lab/qwen3")),
        ("/system", Instruct(None)),
        ("/system off", Instruct("")),
        ("/system Be brief.\nAnd kind.", Instruct("Be brief.\nAnd kind.")),
        ("/system\nBe kind.", Instruct("Be kind.")),
        ("/save my talk.md", Save("my talk.md")),
        ("", None),
        (" \n", None),
    ],
)
def test_a_line_is_a_question_or_a_command(typed: str, read: Line | None) -> None:
    assert read_line(typed) == read


@pytest.mark.parametrize(
    ("typed", "word"),
    [("/sing a song", "/sing"), ("/", "/help"), ("/save", "/save FILE"), ("/new chat", "no argument")],
)
def test_what_is_no_command_is_explained_and_not_sent(typed: str, word: str) -> None:
    read = read_line(typed)
    assert isinstance(read, Misread)
    assert word in read.reason


def test_the_help_names_every_command() -> None:
    commands = [line.split()[0] for line in HELP.splitlines() if line.startswith("/")]
    assert commands == ["/models", "/model", "/system", "/new", "/save", "/quit"]
    assert not any(isinstance(read_line(command), Question) for command in commands)
