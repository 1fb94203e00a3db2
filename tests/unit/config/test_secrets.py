"""No secret is shown: not by the tree, not by an error, not by a warning, not by the rows for the operator."""

import pytest

from parlance.config import ConfigError, Surroundings, describe
from parlance.config.describe import mask, secrets_of
from tests.unit.config.reading import Desk, source

CANARY = "canary-0123456789"
HOLDERS = f"""
providers:
  lab: {{base_url: "http://lab.example", api_key: {CANARY}, headers: {{X-Team: {CANARY}}}, proxy: "http://u:{CANARY}@p"}}
access: {{keys: {{web: {{key: {CANARY}}}}}}}
console: {{username: admin, password: {CANARY}}}
mcp: {{servers: [{{name: a, transport: stdio, command: run, auth_token: {CANARY}, env: {{TOKEN: {CANARY}}}}}]}}
database_url: "postgres://u:{CANARY}@db:5432/chats?password={CANARY}"
redis_url: "redis://:{CANARY}@cache/0"
"""


def test_neither_the_tree_nor_its_rows_show_a_secret(desk: Desk) -> None:
    loaded = desk.load({"OPENAI_API_KEY": CANARY}, parlance=HOLDERS)
    for shown in (repr(loaded), str(loaded), repr(loaded.settings), str(loaded.settings), repr(describe(loaded))):
        assert CANARY not in shown
    assert loaded.settings.model_dump_json().count(CANARY) == 0


def test_the_rows_say_what_holds_and_where_it_came_from(desk: Desk) -> None:
    loaded = desk.load({"OPENAI_API_KEY": CANARY, "DATABASE_URL": "postgres://u:p@db/chats"}, config="port: 9\n")
    rows = {row.path: (row.value, row.source) for row in describe(loaded)}
    assert rows["providers.openai.api_key"] == ("********", "environment OPENAI_API_KEY")
    assert rows["providers.openai.host"] == ("openai", "follows from environment OPENAI_API_KEY")
    assert rows["server.port"] == ("9", "config.yaml: port")
    assert rows["server.host"] == ("127.0.0.1", "default")
    assert rows["database_url"] == ("postgres://********@db/chats", "environment DATABASE_URL")
    assert rows["discovery"] == ("true", "default")
    assert rows["server.cors_origins"][0].startswith("http://localhost:3000, ")
    assert "console.password" not in rows


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-abc", "********"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("redis://:pa/ss@cache:6379/0", "redis://********@cache:6379/0"),
        ("postgres://u:p?w@db/x?sslmode=require", "postgres://********@db/x"),
        ("postgres://u:secret", "********"),
    ],
)
def test_of_an_address_only_server_and_path_are_shown(secret: str, shown: str) -> None:
    assert mask(secret) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"access: {{keys: {{a: {{key: {CANARY}}}, b: {{key: {CANARY}}}}}}}",
        f"access: {{keys: {{a: {{key: 'sha256:{CANARY}'}}}}}}",
        f"providers: {{lab: {{host: openai, api_key: ['{CANARY}']}}}}",
        f'providers: {{lab: {{host: openai, api_key: "{CANARY}\\nX-Other: 1"}}}}',
        f"providers: {{lab: {{host: openai, base_url: 'https://u:{CANARY}@lab.example'}}}}",
        f"providers: {{lab: {{host: openai, base_url: 'https://u:{CANARY}/{CANARY}@lab.example'}}}}",
        f"providers: {{lab: {{host: openai, api_key: *{CANARY}}}}}",
        f"providers: {{lab: {CANARY}}}\nmcp: {{servers: [{{name: a, auth_token: {CANARY}}}]}}",
        "server: {port: '${KEY}'}",
        "server: {host: 'a', cors_origins: ['${KEY}']}",
    ],
)
def test_an_error_shows_no_secret(desk: Desk, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.load({"KEY": CANARY}, parlance=text + "\n")
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.problems)):
        assert CANARY not in shown
    assert caught.value.__cause__ is None


def test_the_surroundings_show_nothing_of_the_environment(desk: Desk) -> None:
    assert CANARY not in repr(Surroundings({"OPENAI_API_KEY": CANARY}, desk.folder, {"console.password": CANARY}))


def test_a_key_filled_in_from_a_variable_names_the_file_it_stands_in(desk: Desk) -> None:
    loaded = desk.load({"KEY": CANARY}, parlance="providers: {lab: {base_url: 'http://a', api_key: '${KEY}'}}\n")
    assert source(loaded, "providers.lab.api_key") == "parlance.yaml: providers.lab.api_key"


def test_every_secret_of_the_tree_is_known_to_those_who_must_keep_it_out_of_sight(desk: Desk) -> None:
    settings = desk.load({"OPENAI_API_KEY": "sk-one"}, parlance=HOLDERS).settings
    found = secrets_of(settings)
    assert "sk-one" in found
    assert sum(CANARY in value for value in found) == 9
