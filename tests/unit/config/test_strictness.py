"""What is not known: an error in our own sections, a warning in the four systems', nothing in the environment."""

import pytest

from tests.unit.config.reading import Desk, codes, texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("servr: {port: 1}\n", "parlance.yaml: servr.port: there is no such setting; did you mean server.port?"),
        ("servr:\n", "parlance.yaml: servr: there is no such setting; did you mean server?"),
        ("server: {prot: 1}\n", "parlance.yaml: server.prot: there is no such setting; did you mean server.port?"),
        ("models: {fast: {rout: [a]}}\n", "parlance.yaml: models.fast.rout: there is no such setting"),
        ("providers: {lab: {api-key: x}}\n", "did you mean providers.lab.api_key?"),
        ("providers: {lab: {colour: x}}\n", "providers.lab.colour: there is no such setting; take it out"),
        ("port_of_call: {x: 1}\n", "there is no such setting; take it out"),
        ("stop_grace: 1\n", "did you mean server.stop_grace?"),
        ("zzz: 1\n", "parlance.yaml: zzz: there is no such setting; take it out"),
    ],
)
def test_an_unknown_key_of_our_own_is_an_error_with_the_nearest_name(desk: Desk, text: str, message: str) -> None:
    assert message in desk.refuse(parlance=text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {prot: 1}\n", "config.yaml: server.prot is not known and was passed over; did you mean server.port?"),
        ("openai: {modle: m}\n", "config.yaml: openai.modle is not known and was passed over"),
        ("llm: {timeout_second: 1}\n", "did you mean llm.timeout_seconds?"),
        ("mcp: {servers: [{name: a, url: 'http://a', retries: 1}]}\n", "config.yaml: mcp.servers.a.retries"),
        ("logging: {colour: true}\n", "config.yaml: logging.colour"),
        ("database: {pool: 5}\n", "config.yaml: database.pool"),
    ],
)
def test_an_unknown_key_of_the_four_systems_is_a_warning(desk: Desk, text: str, message: str) -> None:
    loaded = desk.load(config=text)
    assert "unknown_key" in codes(loaded)
    assert message in texts(loaded)


def test_our_own_sections_are_strict_in_every_file(desk: Desk) -> None:
    assert "config.yaml: access.opne: there is no such setting" in desk.refuse(config="access: {opne: true}\n")
    assert desk.settings(config="access: {open: true}\n").access.open


def test_a_vendors_section_in_our_own_file_is_still_the_other_systems(desk: Desk) -> None:
    assert codes(desk.load(parlance="openai: {api_key: sk-one, colour: red}\n")) == ["unknown_key"]


def test_unknown_variables_say_nothing_unless_they_bear_our_name(desk: Desk) -> None:
    loaded = desk.load({"SERVERPORT": "1", "LLM__COLOUR": "red", "PARLANCE_SERVER__PROT": "1", "PARLANCE_CONFG": "x"})
    assert codes(loaded) == ["unknown_variable", "unknown_variable"]
    assert "PARLANCE_SERVER__PROT is no setting of Parlance" in texts(loaded)
    assert "did you mean PARLANCE_SERVER__PORT?" in texts(loaded)
    assert "did you mean PARLANCE_CONFIG?" in texts(loaded)


def test_an_unknown_argument_is_an_error(desk: Desk) -> None:
    message = desk.refuse(arguments={"server.prot": "1"})
    assert "argument server.prot: there is no such setting; did you mean server.port?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {port: [1\n", "parlance.yaml: line 2, column 1: this is not valid YAML"),
        ("- a\n", "parlance.yaml: must hold keys and values"),
        ("server: {port: 1}\nserver: {port: 2}\n", "parlance.yaml: line 2: server stands twice"),
        ("server: {port: *none}\n", "this is not valid YAML"),
        ("a: !!python/object:os.system {}\n", "this is not valid YAML"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused_with_the_place(desk: Desk, text: str, message: str) -> None:
    assert message in desk.refuse(parlance=text)


def test_a_file_in_another_encoding_is_refused(desk: Desk) -> None:
    (desk.folder / "config.yaml").write_bytes("openai: {system_prompt: Grüße}\n".encode("latin-1"))
    assert "config.yaml: is not UTF-8 text" in desk.refuse()


def test_an_empty_file_and_a_byte_order_mark_do_no_harm(desk: Desk) -> None:
    assert desk.load(config="# nothing\n").warnings == ()
    assert desk.settings(config="\ufeffserver: {port: 7}\n").server.port == 7


def test_a_line_of_dotenv_that_means_nothing_is_passed_over_with_a_warning(desk: Desk) -> None:
    loaded = desk.load(dotenv="PORT=9\n'broken\nHOST=localhost\n")
    assert codes(loaded) == ["dotenv_line"]
    assert ".env: line 2" in texts(loaded)
    assert (loaded.settings.server.port, loaded.settings.server.host) == (9, "localhost")
