"""The generated tables of docs/: each is made from the code, and stands between two marks in a page."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from msgspec.structs import fields

from parlance.app.not_yet import WITHOUT_EFFECT
from parlance.config.legacy import ENVIRONMENT, FILE_KEYS, LAYERED_FILES
from parlance.config.schema import default_at, known_paths
from parlance.core import errors
from parlance.core.errors import ParlanceError
from parlance.core.events import Event
from parlance.dialects.anthropic_messages.quirks import QUIRKS as ANTHROPIC_QUIRKS
from parlance.dialects.ollama.quirks import QUIRKS as OLLAMA_QUIRKS
from parlance.dialects.openai_chat.quirks import QUIRKS
from parlance.dialects.openai_responses.quirks import QUIRKS as RESPONSES_QUIRKS
from parlance.providers import demo_script
from parlance.providers.catalog import HOSTS, WITHOUT_ADDRESS, HostRow
from parlance.providers.languages import LANGUAGES
from parlance.telemetry.figures import FIGURES
from tests.contract.journeys import SURVIVORS, survivors
from tests.contract.languages import SPOKEN
from tests.docs.meanings import ERRORS, EVENTS, SETTINGS

ROOT = Path(__file__).resolve().parents[2]
MARKED = re.compile(r"(?P<begin><!-- generated: (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

Row = tuple[str, ...]


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def renew(text: str) -> str:
    """A page's text with its tables as they are today."""
    return MARKED.sub(lambda mark: f"{mark['begin']}\n{TABLES[mark['name']]()}\n{mark['end']}", text)


def encode_table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    return ", ".join(code(text) for text in texts) or "–"


def demo_table() -> str:
    """From the docstring that the grammar is written down in."""
    lines = re.findall(r"^ {4}(/\S.*?) {2,}(.*)$", demo_script.__doc__ or "", re.MULTILINE)
    return encode_table(("Command", "The demo will"), [(code(command), meaning) for command, meaning in lines])


def settings_table() -> str:
    rows = []
    for path in known_paths():
        dotted = ".".join(path)
        idle = " *No effect yet.*" if dotted.startswith(WITHOUT_EFFECT) else ""
        rows.append((code(dotted), tell_default(default_at(path)), SETTINGS[dotted] + idle))
    return encode_table(("Setting", "Default", "Meaning"), rows)


def tell_default(value: object) -> str:
    match value:
        case None | () | "":
            return "–"
        case bool():
            return code(str(value).lower())
        case tuple():
            return codes(str(item) for item in value)
        case float() if value.is_integer():
            return code(str(int(value)))
        case _:
            return code(str(value))


def variables_table() -> str:
    rows = [
        (code(row.variable), code(".".join(row.path)), f"in `{row.only}` only" * bool(row.only)) for row in ENVIRONMENT
    ]
    return encode_table(
        ("Variable", "Setting", ""), [(first, second, note.replace("dotenv", ".env")) for first, second, note in rows]
    )


def file_keys_table() -> str:
    rows = [(code(".".join(key)), code(".".join(path))) for key, (path, _) in FILE_KEYS.items()]
    return encode_table((f"Key in `config.yaml`, `{'`, `'.join(LAYERED_FILES)}`", "Setting"), rows)


PLAIN = (errors.RequestError, errors.AccessError)
"""Raised themselves, though they have kinds of their own."""


def error_classes(kind: type[ParlanceError] = ParlanceError) -> Iterator[type[ParlanceError]]:
    """Those that are raised: the leaves of the tree, and a few of its boughs."""
    below = kind.__subclasses__()
    if (not below or kind in PLAIN) and kind.__module__.startswith(f"{errors.__name__}."):
        yield kind
    for each in below:
        yield from error_classes(each)


def errors_table() -> str:
    rows = [
        (code(kind.code), str(kind.status), "yes" if kind.retryable else "no", ERRORS[kind.code])
        for kind in error_classes()
    ]
    return encode_table(("Code", "HTTP status", "A retry may help", "Meaning"), rows)


def hosts_table() -> str:
    rows = [
        (
            code(row.id),
            row.title,
            tell_address(row),
            codes(row.key_variables),
            code(row.default_model) if row.default_model else "the first it lists",
            tell_language(row),
            codes(sorted(row.quirks)),
        )
        for row in HOSTS
    ]
    return encode_table(("`host`", "Name", "Address", "Key's variable", "Default model", "Language", "Quirks"), rows)


def tell_address(row: HostRow) -> str:
    if row.base_url is None:
        return "none needed" if row.family in WITHOUT_ADDRESS else "set `base_url`"
    return code(row.base_url)


def tell_language(row: HostRow) -> str:
    known = row.family in LANGUAGES or row.family in WITHOUT_ADDRESS
    return code(row.family) if known else f"`{row.family}`: not spoken yet"


def quirks_table() -> str:
    known = {**QUIRKS, **ANTHROPIC_QUIRKS, **OLLAMA_QUIRKS, **RESPONSES_QUIRKS}
    return encode_table(("Quirk", "The host"), [(code(name), meaning) for name, meaning in known.items()])


def events_table() -> str:
    rows = []
    for event in get_args(Event):
        tag = str(event.__struct_config__.tag)
        own = "" if "__doc__" not in vars(event) or not event.__doc__ else inspect.cleandoc(event.__doc__)
        meaning = " ".join((EVENTS.get(tag) or own).split())
        rows.append((code(tag), codes(field.name for field in fields(event)), meaning))
    return encode_table(("Event", "Fields", "Meaning"), rows)


def metrics_table() -> str:
    rows = [(code(figure.name), figure.kind, codes(figure.labels), figure.meaning) for figure in FIGURES]
    return encode_table(("Metric", "Kind", "Labels", "Meaning"), rows)


def journeys_table() -> str:
    """What goes along when a conversation changes its provider."""
    rows = []
    for first in SPOKEN:
        for then in SPOKEN:
            kept = survivors(first, then)
            lost = [name for name in SURVIVORS if name not in kept]
            rows.append((code(first), code(then), ", ".join(kept), ", ".join(lost) or "–"))
    return encode_table(("Answered by", "Goes on with", "Goes along", "Stays behind"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "demo": demo_table,
    "settings": settings_table,
    "variables": variables_table,
    "file_keys": file_keys_table,
    "errors": errors_table,
    "hosts": hosts_table,
    "quirks": quirks_table,
    "events": events_table,
    "metrics": metrics_table,
    "journeys": journeys_table,
}
