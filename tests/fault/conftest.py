"""Databases for servers in processes of their own: a file in the folder of the one there is, or what several share."""

import pytest

KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty for the file. The same test, once on each kind."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("empty_postgres"))
