"""How the database of what is stored is used. Where it is says `database_url`."""

from typing import Annotated

from pydantic import Field, SecretStr

from parlance.config.sections.fields import Section


class DatabaseSettings(Section):
    """`migrate`: bring its tables up to date at every start. `connections`: to PostgreSQL, at most, of this process;
    one more listens. `listen_url`: the database's address without a pooler before it, for that one.
    """

    migrate: bool = True
    connections: Annotated[int, Field(ge=2, le=1_000)] = 16
    listen_url: SecretStr | None = None
