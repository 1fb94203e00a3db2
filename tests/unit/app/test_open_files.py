"""Connections fit into what the operating system gives."""

import logging
import sys

import pytest

from parlance.app import open_files
from parlance.app.open_files import connections_within, raise_limit


def test_as_many_connections_as_there_may_be_files_for_them_and_for_their_hosts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_files, "_files", lambda: 1_024)
    assert connections_within(100) == 100
    assert not caplog.records
    with caplog.at_level(logging.INFO):
        assert connections_within(10_000) == 480
    assert "limits.connections is 10000" in caplog.text
    monkeypatch.setattr(open_files, "_files", lambda: 10)
    assert connections_within(10_000) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_the_limit_is_raised_as_far_as_it_may_be(caplog: pytest.LogCaptureFixture) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with caplog.at_level(logging.DEBUG):
        raise_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard == before[1] or "stays as it is" in caplog.text
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
