"""Nothing secret and nothing that anybody wrote is ever logged: canaries in every place that can hold one."""

import logging
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import HostKeyRefused
from parlance.core.messages import user_message
from parlance.core.principal import Caller
from parlance.core.requests import Request
from parlance.core.trace import tracing
from parlance.telemetry.logs import LogOptions
from parlance.telemetry.observers import ObserverList
from parlance.telemetry.redaction import MASK, Redactor
from parlance.telemetry.turn_log import TurnLog
from tests.unit.telemetry.conftest import Record
from tests.unit.telemetry.turns import FACTS, FAILED, events

OURS = (
    "canary-provider-key-0123456789abcdef",
    'canary "quoted" pass/word+1',
    "canary7",
    "c4n4ry-0123456789-0123456789-0123456789",
)

# Secrets nobody configured: known by their looks only.
LOOKS = {
    "sk-proj-CANARYCANARY0123": "Incorrect API key provided: sk-proj-CANARYCANARY0123.",
    "parlance_CANARYCANARYCANARYCANARY": "parlance_CANARYCANARYCANARYCANARY",
    "CANARY.token": "Authorization: Bearer CANARY.token",
    "Q0FOQVJZOkNBTkFSWQ==": "{'authorization': 'Basic Q0FOQVJZOkNBTkFSWQ=='}",
    "AIzaCANARYCANARYCANARYCANARY": "key AIzaCANARYCANARYCANARYCANARY is not valid",
    "eyJhbGciOiJCANARY.eyJzdWIiCANARY.c2ln": "got eyJhbGciOiJCANARY.eyJzdWIiCANARY.c2ln",
    "CANARYPASS": "postgresql://user:CANARYPASS@db:5432/parlance",
    "CANARYQUERY": "https://host.example/v1?key=CANARYQUERY&alt=sse",
    "CANARY with blanks": '{"password": "CANARY with blanks", "x": 1}',
    "CANARYESCAPED": '{\\"api_key\\": \\"CANARYESCAPED\\"}',
    "CANARYENV": "OPENAI_API_KEY=CANARYENV",
    "CANARYCOLON": "x-api-key: CANARYCOLON",
    "CANARYSUB": "sec-websocket-protocol: parlance, parlance.key.CANARYSUB",
    "ghp_CANARYCANARY": "ghp_CANARYCANARY",
}


@pytest.mark.parametrize(("secret", "text"), LOOKS.items())
def test_what_looks_like_a_secret_is_masked(secret: str, text: str) -> None:
    shown = Redactor().text(text)
    assert secret not in shown
    assert "CANARY" not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=4096",
        "tokenizer: bpe",
        "input_tokens: 12",
        "task-force-one-two-three",
        "the key is here",
        "GET /chat 200",
        "bearer of news",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert Redactor(("none",)).text(text) == text


@pytest.mark.parametrize("secret", OURS)
@pytest.mark.parametrize("form", ["{}", "says {}, twice {}", "{!r}", "'{}'", "x={}&y"])
def test_a_configured_secret_is_masked_wherever_it_stands(secret: str, form: str) -> None:
    assert secret not in Redactor(OURS).text(form.format(secret, secret))


def test_a_long_secret_is_known_by_its_beginning() -> None:
    assert "0123456789" not in Redactor(OURS).text(f"…{OURS[3][:20]}")


def test_a_short_secret_is_masked_as_a_word_only() -> None:
    assert Redactor(("llama",)).text("llama, ollama, llamas") == f"{MASK}, ollama, llamas"


@given(st.text(min_size=8).filter(lambda text: text == text.strip()), st.text(), st.text())
def test_no_text_around_a_secret_uncovers_it(secret: str, before: str, after: str) -> None:
    shown = Redactor((secret,)).text(before + secret + after)
    assert secret not in shown.replace(MASK, "") or secret in before + after or secret in MASK


@pytest.mark.parametrize(
    "name", ["authorization", "X-Api-Key", "api_key", "password", "db_password", "cookie", "auth_token", "token"]
)
def test_a_field_that_is_called_a_secret_is_masked_whatever_it_holds(name: str) -> None:
    assert Redactor().value({name: "innocent", "deep": {name: ["innocent"]}}) == {name: MASK, "deep": {name: MASK}}


def test_objects_are_named_and_not_shown() -> None:
    request = Request("fast", (user_message("WORDS"),))
    shown = Redactor().value({"request": request, "body": b"WORDS", "error": ValueError("WORDS"), "all": [request]})
    assert shown == {"request": "<Request>", "body": "<bytes>", "error": "ValueError", "all": ["<Request>"]}


def test_values_are_bounded() -> None:
    endless: list[object] = []
    endless.append(endless)
    shown = Redactor().value(
        {"text": "x" * 1_000_000, "list": list(range(1_000)), "endless": endless, "huge": 10**5_000}
    )
    assert len(repr(shown)) < 5_000


def make_noise(canaries: tuple[str, ...]) -> None:
    """Logs as careless code would, in every way there is."""
    log = structlog.stdlib.get_logger("parlance.careless")
    for canary in canaries:
        with tracing(request=canary):
            log.debug(f"with {canary}", note=canary, headers={"x-api-key": canary, "note": [canary]})
            log.info("caller", caller=Caller({"authorization": canary}, None, "GET", "/"), detail=("a", {canary: 1}))
            logging.getLogger("library").warning("connecting with %s and %r", canary, {"k": canary})
            logging.getLogger("websockets").debug("> TEXT %r", canary)
            try:
                raise HostKeyRefused(f"401: {canary} is not valid")
            except HostKeyRefused as error:
                log.exception("refused", error=error)
                logging.getLogger("library").exception("refused: %s", error)


class Careless:
    """An observer that breaks on what it sees."""

    def observe(self, facts: object, event: object) -> None:
        raise ValueError(repr(event))


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_canary_reaches_any_log_at_debug(record: Record, tmp_path: Path, form: str, terminal: bool) -> None:
    options = LogOptions(
        level="DEBUG",
        format="console" if form == "console" else "json",
        file=tmp_path / "log",
        provider_levels=(("lab", "DEBUG"),),
    )
    written = record(options, OURS, terminal=terminal)
    make_noise((*OURS, *(text for text in LOOKS.values())))
    watchers = ObserverList([Careless(), TurnLog()])
    for event in [*events(result=OURS[0]), *events(FAILED, is_error=True)]:
        watchers.observe(FACTS, event)
    for output in (written.text, written.in_file):
        assert "refused" in output
        assert "turn ended" in output
        for canary in (*OURS, *LOOKS, "CANARY", "WORDS"):
            assert canary not in output
