"""`${VAR}` and `${VAR:-default}` in the files, and what happens when a variable is not set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.config.variables import expand
from tests.unit.config.reading import Desk, codes, secret, texts

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
PLAIN = st.text(alphabet=st.characters(exclude_characters="${}"), max_size=12)


def none(name: str) -> str | None:
    return None


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_left_alone(text: str) -> None:
    found = expand(text, none)
    assert (found.value, found.missing, found.filled) == (text, (), False)


@given(before=PLAIN, name=NAMES, value=st.text(min_size=1), after=PLAIN)
def test_a_variable_is_replaced_by_its_value_which_is_not_read_again(
    before: str, name: str, value: str, after: str
) -> None:
    found = expand(f"{before}${{{name}}}{after}", {name: value}.get)
    assert (found.value, found.missing, found.filled) == (f"{before}{value}{after}", (), True)


@given(name=NAMES, default=PLAIN)
def test_the_default_holds_for_what_is_unset_or_empty(name: str, default: str) -> None:
    for lookup in (none, {name: ""}.get):
        assert expand(f"${{{name}:-{default}}}", lookup).value == default


@given(name=NAMES, default=PLAIN, value=st.text(min_size=1))
def test_a_set_variable_holds_over_its_default(name: str, default: str, value: str) -> None:
    assert expand(f"${{{name}:-{default}}}", {name: value}.get).value == value


@given(st.lists(NAMES, max_size=4))
def test_every_variable_that_lacks_a_value_is_named(names: list[str]) -> None:
    assert expand([f"${{{name}}}" for name in names], none).missing == tuple(names)


@given(NAMES)
def test_two_dollars_stand_for_the_text_itself(name: str) -> None:
    assert expand(f"$${{{name}}}", {name: "value"}.get).value == f"${{{name}}}"


@pytest.mark.parametrize("text", ["$NAME", "${}", "${1}", "${NAME", "${NAME-default}", "cost: $5"])
def test_what_is_no_variable_stays_as_it_is(text: str) -> None:
    assert expand(text, {"NAME": "value"}.get).value == text


def test_the_environment_is_asked_before_dotenv(desk: Desk) -> None:
    text = "providers: {lab: {base_url: 'https://${SERVER:-none}/v1', api_key: '${KEY}'}}\n"
    lab = desk.settings({"KEY": "one"}, parlance=text, dotenv="KEY=two\nSERVER=lab.example\n").providers["lab"]
    assert (lab.base_url, secret(lab.api_key)) == ("https://lab.example/v1", "one")


def test_dotenv_fills_in_variables_of_its_own(desk: Desk) -> None:
    settings = desk.settings({"USER_NAME": "app"}, dotenv="DB=chats\nDATABASE_URL=postgres://${USER_NAME}@db/${DB}\n")
    assert secret(settings.database_url) == "postgres://app@db/chats"


@pytest.mark.parametrize("environ", [{}, {"LAB_KEY": ""}])
def test_a_lacking_variable_is_an_error_that_names_variable_file_and_key(desk: Desk, environ: dict[str, str]) -> None:
    message = desk.refuse(environ, parlance="providers: {lab: {base_url: 'http://lab', api_key: '${LAB_KEY}'}}\n")
    assert "parlance.yaml: providers.lab.api_key: LAB_KEY is not set" in message
    assert "${LAB_KEY:-default}" in message


def test_a_lacking_variable_turns_its_provider_off_while_others_are_set(desk: Desk) -> None:
    loaded = desk.load({"ANTHROPIC_API_KEY": "sk-two"}, config="openai: {api_key: '${OPENAI_API_KEY}', model: m}\n")
    assert list(loaded.settings.usable_providers) == ["anthropic"]
    assert codes(loaded) == ["provider_off"]
    assert "config.yaml: openai.api_key: OPENAI_API_KEY is not set" in texts(loaded)


def test_a_provider_that_is_off_itself_keeps_no_other_going(desk: Desk) -> None:
    message = desk.refuse(config="openai: {api_key: '${OPENAI_API_KEY}'}\nanthropic: {model: m}\n")
    assert "OPENAI_API_KEY is not set" in message


def test_a_provider_whose_host_is_not_said_is_off_too(desk: Desk) -> None:
    loaded = desk.load({"OPENAI_API_KEY": "sk-one"}, parlance="providers: {lab: {host: '${LAB_HOST}'}}\n")
    assert list(loaded.settings.usable_providers) == ["openai"]


def test_outside_of_providers_a_lacking_variable_is_an_error(desk: Desk) -> None:
    message = desk.refuse(
        {"OPENAI_API_KEY": "sk-one"},
        config="mcp: {servers: [{name: a, url: 'http://a', auth_token: '${TOKEN}'}]}\nserver: {port: '${A_PORT}'}\n",
    )
    assert "config.yaml: mcp.servers.a.auth_token: TOKEN is not set" in message
    assert "config.yaml: server.port: A_PORT is not set" in message
    assert "2 settings are wrong" in message


def test_a_lacking_variable_does_no_harm_where_a_stronger_source_speaks(desk: Desk) -> None:
    settings = desk.settings({"PORT": "9"}, config="server: {port: '${A_PORT}'}\n")
    assert settings.server.port == 9
