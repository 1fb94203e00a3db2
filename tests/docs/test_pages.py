"""Every page is true: its examples run, its frames are what the server says, its tables are what the code says."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from parlance.app.not_yet import WITHOUT_EFFECT
from parlance.config.schema import known_paths
from parlance.providers.demo_script import read_script
from parlance.testing import Reply, Script, ScriptedUpstream
from tests.docs.examples import Reader
from tests.docs.meanings import ERRORS, EVENTS, SETTINGS
from tests.docs.pages import Block, read_blocks
from tests.docs.tables import MARKED, ROOT, TABLES, error_classes, pages, renew

ALL_PAGES = pages()
MOST_NOT_RUN = 12
QUICK = Script(reply=Reply(text=tuple(f" {number}" for number in range(20))), event_delay=0.005)
LONG = Script(reply=Reply(text=tuple(f" {number}" for number in range(1000))), event_delay=0.01)
QUICK_ONES = 5
"""So many answers of the scripted host are short. Then comes one that leaves time to cancel it."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def runnable(page: Path) -> list[Block]:
    return [block for block in read_blocks(page) if not block.not_run]


def saw_nothing(upstream: ScriptedUpstream) -> None:
    assert not upstream.requests


def saw_the_key(upstream: ScriptedUpstream) -> None:
    assert {request.header("authorization") for request in upstream.requests} == {"Bearer acme-key-0123456789"}


def saw_the_cancel(upstream: ScriptedUpstream) -> None:
    *answered, cancelled = [request for request in upstream.requests if request.json.get("stream") is True]
    assert all(request.answered.is_set() for request in answered)
    assert cancelled.gone.is_set()


SEEN_BY_THE_HOST = {"docs/extending.md": saw_the_key, "docs/local-models.md": saw_the_cancel}
"""What must have arrived at the scripted host; nothing, where a page is not named."""


@pytest.mark.parametrize("page", [page for page in ALL_PAGES if runnable(page)], ids=name_of)
async def test_the_examples_of_a_page_work_as_they_stand_there(page: Path, tmp_path: Path) -> None:
    if "curl" in page.read_text(encoding="utf-8") and shutil.which("curl") is None:
        pytest.skip("its examples use curl, and there is none on this machine")
    async with ScriptedUpstream(*[QUICK] * QUICK_ONES, default=LONG) as upstream:
        await asyncio.to_thread(follow_all, page, tmp_path, f"http://127.0.0.1:{upstream.port}")
        SEEN_BY_THE_HOST.get(name_of(page), saw_nothing)(upstream)


def follow_all(page: Path, folder: Path, upstream: str) -> None:
    with Reader(folder, upstream) as reader:
        for block in runnable(page):
            try:
                reader.follow(block)
            except Exception as error:
                error.add_note(f"in the block at {name_of(page)}:{block.line}")
                raise


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_it_is_clear_what_each_block_is(page: Path) -> None:
    unclear = [
        f"{name_of(page)}:{block.line}: {block.language} {block.task}" for block in read_blocks(page) if not block.known
    ]
    assert not unclear


def test_few_blocks_are_not_run() -> None:
    left_out = [block for page in ALL_PAGES for block in read_blocks(page) if block.task.startswith("not run")]
    assert len(left_out) <= MOST_NOT_RUN


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_generated_tables_are_fresh(page: Path) -> None:
    """`python -m tests.docs` writes them anew."""
    text = page.read_text(encoding="utf-8")
    assert renew(text) == text


def test_every_generated_table_stands_in_a_page() -> None:
    shown = {mark["name"] for page in ALL_PAGES for mark in MARKED.finditer(page.read_text(encoding="utf-8"))}
    assert shown == TABLES.keys()


def test_every_setting_and_every_error_has_a_meaning() -> None:
    assert SETTINGS.keys() == {".".join(path) for path in known_paths()}
    assert ERRORS.keys() == {kind.code for kind in error_classes()}
    assert all(meaning for meaning in (*SETTINGS.values(), *ERRORS.values(), *EVENTS.values()))


def test_a_setting_has_an_effect_or_is_said_to_have_none() -> None:
    """Settings are used by name, in the rooms that know them."""
    rooms = [*(ROOT / "src/parlance/app").glob("*.py"), *(ROOT / "src/parlance/config").glob("*.py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in rooms)
    for path in SETTINGS:
        if not path.startswith(WITHOUT_EFFECT):
            name = path.removesuffix(".*").rpartition(".")[2]
            assert re.search(rf"\.{name}\b|\"{name}\"", code), f"nothing uses {path}"
    for beginning in WITHOUT_EFFECT:
        assert any(path.startswith(beginning) for path in SETTINGS), f"there is no setting {beginning}"


def test_each_link_to_a_heading_leads_to_one() -> None:
    for page in ALL_PAGES:
        for target, heading in re.findall(r"\]\(([^)#\s:]*\.md|)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            text = (page.parent / target if target else page).read_text(encoding="utf-8")
            anchors = [
                re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines()
            ]
            assert heading in anchors, f"{name_of(page)}: {target}#{heading}"


def test_each_command_in_the_demo_s_table_is_one() -> None:
    commands = re.findall(r"`(/\w+)", TABLES["demo"]())
    assert len(commands) == 10
    assert not any(read_script(command).question for command in commands)


def test_every_page_can_be_found() -> None:
    """From README.md, link by link."""
    found, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in found:
            found.add(page)
            targets = re.findall(r"\]\(([^)#\s]+\.md)[)#]", page.read_text(encoding="utf-8"))
            left += [(page.parent / target).resolve() for target in targets if "://" not in target]
    assert set(ALL_PAGES) <= found, sorted(name_of(page) for page in set(ALL_PAGES) - found)
