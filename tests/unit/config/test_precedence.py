"""Which source holds when several speak: arguments, environment, `.env`, Parlance's own file, the others' files."""

import os
from pathlib import Path

import pytest

from parlance.config import Surroundings, load, real_surroundings
from parlance.config.errors import Findings
from parlance.config.schema import known_paths
from parlance.config.settings import Settings
from parlance.config.sources import read_variable_entries
from tests.unit.config.reading import Desk, codes, secret, source, texts

FILES = {
    "config": "server: {port: 1}\n",
    "resources": "port: 2\n",
    "local": "port: 3\n",
    "parlance": "server: {port: 4}\n",
    "dotenv": "PORT=5\n",
}
ENVIRON = {"PORT": "6"}
ARGUMENTS = {"server.port": "7"}
STRENGTH = ["config", "resources", "local", "parlance", "dotenv"]


@pytest.mark.parametrize("count", range(1, len(STRENGTH) + 1))
def test_of_the_files_the_stronger_one_holds(desk: Desk, count: int) -> None:
    desk.put(**{name: FILES[name] for name in STRENGTH[:count]})
    assert desk.settings().server.port == count


def test_the_environment_holds_over_every_file_and_arguments_over_all(desk: Desk) -> None:
    desk.put(**FILES)
    assert desk.settings(ENVIRON).server.port == 6
    loaded = desk.load(ENVIRON, arguments=ARGUMENTS)
    assert loaded.settings.server.port == 7
    assert source(loaded, "server.port") == "argument server.port"
    assert loaded.files == ("parlance.yaml", "resources/config.local.yaml", "resources/config.yaml", "config.yaml")


def test_of_several_names_in_one_place_parlances_own_holds_then_the_longer_one(desk: Desk) -> None:
    names = {"PORT": "1", "SERVER_PORT": "2", "PARLANCE_SERVER__PORT": "3"}
    assert desk.settings(names).server.port == 3
    assert desk.settings({"PORT": "1", "SERVER_PORT": "2"}).server.port == 2


def test_the_default_provider_of_the_rest_service_holds_wherever_it_stands(desk: Desk) -> None:
    settings = desk.settings({"LLM_PROVIDER": "openai"}, dotenv="DEFAULT_LLM_PROVIDER=anthropic\n")
    assert settings.models.default_provider == "anthropic"


def test_the_environment_named_by_app_env_chooses_the_file(desk: Desk) -> None:
    desk.write("resources/config.staging.yaml", "port: 9\n")
    assert desk.settings(local="port: 3\n").server.port == 3
    assert desk.settings(dotenv="APP_ENV=staging\n").server.port == 9
    assert desk.settings({"APP_ENV": "local"}, dotenv="APP_ENV=staging\n").server.port == 3


def test_app_env_leads_to_no_other_folder(desk: Desk) -> None:
    assert "APP_ENV: must be a plain name" in desk.refuse({"APP_ENV": "../../secret"})


def test_the_paths_of_the_files_can_be_named(desk: Desk) -> None:
    desk.write("elsewhere/a.yaml", "server: {port: 11}\n")
    desk.write("elsewhere/own.yaml", "logging: {level: debug}\n")
    loaded = desk.load({"CONFIG_PATH": "elsewhere/a.yaml", "PARLANCE_CONFIG": "elsewhere/own.yaml"}, config="port: 1\n")
    assert loaded.settings.server.port == 11
    assert loaded.settings.logging.level == "DEBUG"
    assert source(loaded, "server.port") == "elsewhere/a.yaml: server.port"
    chosen = load(Surroundings({}, desk.folder, config=desk.folder / "elsewhere/own.yaml"))
    assert chosen.settings.logging.level == "DEBUG"


@pytest.mark.parametrize("name", ["CONFIG_PATH", "PARLANCE_CONFIG"])
def test_a_file_that_was_named_must_be_there(desk: Desk, name: str) -> None:
    assert "missing.yaml: is not there" in desk.refuse({name: "missing.yaml"})


def test_an_empty_setting_counts_as_unset(desk: Desk) -> None:
    loaded = desk.load({"PORT": "", "OPENAI_API_KEY": " "}, dotenv="PORT=\nHOST=\n", config="server: {host: ''}\n")
    assert loaded.settings == Settings()
    assert loaded.sources == {}


def test_maps_grow_together_from_every_source_and_lists_are_replaced(desk: Desk) -> None:
    loaded = desk.load(
        {"PARLANCE_PROVIDERS__LAB__API_KEY": "sk-lab", "PARLANCE_PROVIDERS__LAB__MODELS": "three"},
        parlance="providers: {lab: {base_url: 'https://lab.example/v1', models: [one, two]}}\n",
    )
    lab = loaded.settings.providers["lab"]
    assert (lab.host, lab.base_url, lab.models) == ("openai_compatible", "https://lab.example/v1", ("three",))
    assert secret(lab.api_key) == "sk-lab"
    assert source(loaded, "providers.lab.api_key") == "environment PARLANCE_PROVIDERS__LAB__API_KEY"


def test_every_path_of_the_tree_has_a_name_in_the_environment() -> None:
    findings = Findings()
    names = {"PARLANCE_" + "__".join(path).upper().replace("*", "X"): "1" for path in known_paths()}
    entries = list(read_variable_entries(names, "environment", findings))
    assert findings.notices == []
    assert {entry.source.key for entry in entries} == set(names)


def test_groups_and_lists_can_be_given_in_one_variable(desk: Desk) -> None:
    settings = desk.settings(
        {
            "PARLANCE_SERVER__TLS": "{cert: c.pem, key: k.pem}",
            "PARLANCE_SERVER__CORS_ORIGINS": "https://a.example/, https://b.example",
            "PARLANCE_MODELS__FAST": "lab/one",
            "PARLANCE_MODELS__SLOW__ROUTE": '["lab/two", "lab/three"]',
            "PARLANCE_DATA": "/srv/parlance",
        }
    )
    assert settings.server.tls is not None
    assert settings.server.tls.key == Path("k.pem")
    assert settings.server.cors_origins == ("https://a.example", "https://b.example")
    assert [one.model for one in settings.models.routes["fast"].route] == ["lab/one"]
    assert [one.model for one in settings.models.routes["slow"].route] == ["lab/two", "lab/three"]
    assert settings.data == Path("/srv/parlance")


def test_a_variable_for_one_key_holds_over_one_for_its_group(desk: Desk) -> None:
    names = {"PARLANCE_SERVER__PORT": "1", "PARLANCE_SERVER": "{port: 2, host: localhost}"}
    server = desk.settings(names).server
    assert (server.host, server.port) == ("localhost", 1)


def test_two_systems_files_that_differ_are_both_named(desk: Desk) -> None:
    loaded = desk.load(config="server: {host: 127.0.0.1}\n", local="host: localhost\n")
    assert codes(loaded) == ["files_differ"]
    assert "config.yaml: server.host and resources/config.local.yaml: host differ" in texts(loaded)
    assert loaded.settings.server.host == "localhost"


def test_parlances_own_file_may_overrule_the_others_in_silence(desk: Desk) -> None:
    assert codes(desk.load(config="server: {port: 1}\n", parlance="server: {port: 2}\n")) == []


def test_the_real_surroundings_are_a_copy_of_the_environment() -> None:
    surroundings = real_surroundings({"server.port": "1"})
    assert surroundings.environ == dict(os.environ)
    assert surroundings.environ is not os.environ
    assert surroundings.folder == Path.cwd()


def test_reading_changes_nothing_in_the_environment(desk: Desk) -> None:
    before = dict(os.environ)
    desk.load({"PORT": "1"}, dotenv="SOMETHING=else\nOPENAI_API_KEY=sk-one\n")
    assert dict(os.environ) == before
