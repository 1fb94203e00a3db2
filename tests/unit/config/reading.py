"""Settings read from files and variables that a test writes down; the real environment is never looked at."""

from collections.abc import Mapping
from pathlib import Path

from parlance.config import ConfigError, Loaded, Settings, Surroundings, describe, load

FILE_NAMES = {
    "dotenv": ".env",
    "parlance": "parlance.yaml",
    "config": "config.yaml",
    "local": "resources/config.local.yaml",
    "resources": "resources/config.yaml",
}


class Desk:
    """A working folder and the ways to read settings in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def put(self, **files: str) -> None:
        """Write files by the short name that each has here."""
        for name, text in files.items():
            self.write(FILE_NAMES[name], text)

    def load(
        self, environ: Mapping[str, str] | None = None, *, arguments: Mapping[str, str] | None = None, **files: str
    ) -> Loaded:
        self.put(**files)
        return load(Surroundings(environ or {}, self.folder, arguments or {}))

    def settings(self, environ: Mapping[str, str] | None = None, **files: str) -> Settings:
        self.put(**files)
        return self.load(environ).settings

    def refuse(
        self, environ: Mapping[str, str] | None = None, *, arguments: Mapping[str, str] | None = None, **files: str
    ) -> str:
        """The message with which these settings are refused."""
        self.put(**files)
        try:
            self.load(environ, arguments=arguments)
        except ConfigError as error:
            return error.message
        raise AssertionError("these settings were accepted")


def codes(loaded: Loaded) -> list[str]:
    return [notice.code for notice in loaded.warnings]


def texts(loaded: Loaded) -> str:
    return "\n".join(notice.text for notice in loaded.warnings)


def source(loaded: Loaded, path: str) -> str:
    return next(row.source for row in describe(loaded) if row.path == path)


def secret(value: object) -> str | None:
    """What a secret setting holds, for comparing."""
    reveal = getattr(value, "get_secret_value", None)
    return None if reveal is None else str(reveal())
