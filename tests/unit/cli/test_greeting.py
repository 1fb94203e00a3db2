"""What the command line reads and says."""

import click
import pytest

from parlance.app.application import Application, compose
from parlance.cli.options import read_assignments
from parlance.cli.serve import greet
from parlance.config.settings import Settings


async def greeting(capsys: pytest.CaptureFixture[str], **tree: object) -> list[str]:
    settings = Settings.model_validate({"discovery": False, **tree})
    application: Application = await compose(settings, port=9000)
    greet(settings, application, 9000)
    return capsys.readouterr().out.splitlines()


async def test_the_address_can_be_clicked_and_the_command_copied(capsys: pytest.CaptureFixture[str]) -> None:
    lines = await greeting(capsys)
    assert lines[0] == "Parlance listens on http://127.0.0.1:9000"
    assert "demo" in lines[1]
    assert "http://127.0.0.1:9000/chat -H 'content-type" in lines[2]


async def test_an_ipv6_address_stands_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    assert "http://[::1]:9000" in (await greeting(capsys, server={"host": "::1"}))[0]


async def test_where_a_key_is_needed_the_command_says_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    lines = await greeting(capsys, access={"keys": {"web": {"key": "canary-key-0123456789"}}})
    assert "Bearer YOUR_KEY" in lines[-1]
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("192.0.2.7", "192.0.2.7")])
async def test_the_address_is_one_that_is_listened_on(
    capsys: pytest.CaptureFixture[str], host: str, shown: str
) -> None:
    lines = await greeting(capsys, server={"host": host}, access={"open": True})
    assert f"http://{shown}:9000" in lines[0]
    assert "YOUR_KEY" not in lines[-1]


def test_an_assignment_is_a_path_and_a_text() -> None:
    assert read_assignments(("a.b=1", " c = x=y", "d=")) == {"a.b": "1", "c": " x=y", "d": ""}


def test_what_is_no_assignment_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="path=value"):
        read_assignments(("a.b",))
