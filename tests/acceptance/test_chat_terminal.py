"""`parlance chat` in a terminal: lines, commands, Ctrl-C, and the history on disk."""

import stat
from pathlib import Path

import pytest

from parlance.testing.script import saying
from tests.acceptance.chat_command import READY, terminal
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess


@pytest.mark.requirement("chat:cancel:terminal")
async def test_ctrl_c_cancels_the_answer_and_not_the_chat(
    lab: ServerProcess, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(PAUSED, saying("**Still** here."))
    async with terminal("--url", lab.address, "--usage", folder=tmp_path) as chat:
        await chat.expect(f"Parlance at {lab.address}")
        await chat.enter("Hello")
        await chat.expect("one")
        chat.type("\x03")
        await chat.expect("Cancelled.")
        await upstream.hung_up()
        await chat.enter("And now?")
        shown = await chat.expect("scripted-model · 5 tokens in, 3 out")
        assert "\x1b[1mStill\x1b[0m here." in shown
        await chat.expect(READY)
        chat.type("typed\x03")
        await chat.expect(READY)
        chat.type("\x03")
        await chat.expect("Ctrl-C again")
        await chat.expect(READY)
        chat.type("\x03")
        assert await chat.ended() == 0
    asked = [message["content"] for message in upstream.sent(1)["messages"]]
    assert asked == ["Hello", "one", "And now?"]


@pytest.mark.requirement("chat:history_file")
async def test_what_was_typed_is_kept_for_its_owner_alone(demo: ServerProcess, tmp_path: Path) -> None:
    settings = {"PARLANCE_DATA": str(tmp_path / "kept")}
    file = tmp_path / "kept" / "chat_history"
    async with terminal("--url", demo.address, folder=tmp_path, settings=settings) as chat:
        await chat.enter("//words 2\\")
        chat.type("more\x1b\rlines\r")
        await chat.expect("Parlance tells")
        await chat.expect(READY)
        chat.type("\x04")
        assert await chat.ended() == 0
    assert "+//words 2\n+more\n+lines\n" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    async with terminal("--url", demo.address, folder=tmp_path, settings=settings) as chat:
        await chat.expect(READY)
        # Up three lines of the newest entry's, and send it again.
        chat.type("\x1b[A\r")
        await chat.expect("Parlance tells")
        await chat.enter("/quit")
        assert await chat.ended() == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.requirement("chat:commands")
async def test_commands_are_obeyed_and_unknown_ones_explained(tmp_path: Path) -> None:
    async with terminal(folder=tmp_path) as chat:
        await chat.expect("Answers come from: demo")
        await chat.enter("/words 2")
        await chat.expect("There is no command /words.")
        await chat.enter("/models")
        await chat.expect("* demo/demo")
        await chat.enter("/model none/such")
        await chat.expect("The model is none/such.")
        await chat.enter("Hello")
        await chat.expect("--model and /model choose another")
        await chat.enter("/model demo/demo")
        await chat.enter("/system Be brief")
        await chat.expect("System: Be brief")
        await chat.enter('//call get_current_time {"format": "20%H"}')
        await chat.expect("⚙ get_current_time")
        await chat.expect("  → 20")
        await chat.enter("/save talk.md")
        await chat.expect("Saved in talk.md.")
        await chat.enter("/save talk.md")
        await chat.expect("talk.md can't be written")
        await chat.enter("/new")
        await chat.expect("forgotten")
        await chat.expect(READY)
        chat.type("\x04")
        assert await chat.ended() == 0
    saved = (tmp_path / "talk.md").read_text()
    assert saved.startswith("# Conversation\n\n## System\n\nBe brief\n\n## You\n\n/call")
