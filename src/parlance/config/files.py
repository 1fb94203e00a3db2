"""Finds and reads the files that hold settings: `.env`, Parlance's own and the four systems'."""

import io
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream
from msgspec import Struct

from parlance.config.errors import Findings
from parlance.config.legacy import DEFAULT_APP_ENV, LAYERED_FILES
from parlance.config.surroundings import Surroundings, Variables
from parlance.config.variables import expand_text
from parlance.config.yaml_text import parse_yaml

APP_ENV_FORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class SettingsFile(Struct, frozen=True):
    """`label` is the name in messages. `own`: it is in Parlance's words, so a key it does not know is an error."""

    label: str
    own: bool
    data: Mapping[str, object]

    def __repr__(self) -> str:
        return f"SettingsFile({self.label})"


def read_text(path: Path, label: str, findings: Findings) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        findings.fault(label, "is not UTF-8 text; save it as UTF-8")
    except OSError as fault:
        findings.fault(label, f"can't be read: {fault.strerror or fault}")
    return None


def read_variables(surroundings: Surroundings, findings: Findings) -> Variables:
    """The environment, and `.env` of the working folder, whose `${VAR}` are filled in."""
    path = surroundings.folder / ".env"
    text = read_text(path, ".env", findings) if path.is_file() else None
    dotenv: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text or "")):
        if binding.error:
            findings.warn("dotenv_line", f".env: line {binding.original.line} is not NAME=value and was passed over")
        elif binding.key is not None and binding.value is not None:
            known = Variables(surroundings.environ, dotenv)
            dotenv[binding.key] = str(expand_text(binding.value, known.text).value)
    return Variables(surroundings.environ, dotenv)


def read_files(surroundings: Surroundings, variables: Variables, findings: Findings) -> list[SettingsFile]:
    """The files that are there, the weakest first. One that was asked for by name must be there."""
    folder = surroundings.folder
    found = [read_chosen(folder, "config.yaml", variables.text("CONFIG_PATH"), False, findings)]
    app_env = variables.text("APP_ENV") or DEFAULT_APP_ENV
    if APP_ENV_FORM.fullmatch(app_env):
        names = [pattern.format(APP_ENV=app_env) for pattern in reversed(LAYERED_FILES)]
        found.extend(read_chosen(folder, name, None, False, findings) for name in names)
    else:
        findings.fault("APP_ENV", "must be a plain name, such as local: it is a part of a file's name")
    own = surroundings.config or variables.text("PARLANCE_CONFIG")
    found.append(read_chosen(folder, "parlance.yaml", str(own) if own else None, True, findings))
    return [file for file in found if file is not None]


def read_chosen(folder: Path, usual: str, chosen: str | None, own: bool, findings: Findings) -> SettingsFile | None:
    """The file that was chosen by name, else the usual one if it is there."""
    label = chosen or usual
    path = folder / Path(label).expanduser()
    if path.is_file():
        text = read_text(path, label, findings)
        return None if text is None else decode_file(text, label, own, findings)
    if chosen or path.exists():
        findings.fault(label, "is not there; name an existing file, or leave the setting out")
    return None


def decode_file(text: str, label: str, own: bool, findings: Findings) -> SettingsFile | None:
    try:
        data = parse_yaml(text)
    except ValueError as fault:
        findings.fault(label, str(fault))
        return None
    if data is None:
        return None
    if not isinstance(data, dict):
        findings.fault(label, "must hold keys and values, such as `server: {port: 8000}`")
        return None
    return SettingsFile(label, own, {str(key): value for key, value in data.items()})
