"""The way in: every source read once, one frozen tree out."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from pydantic import ValidationError

from parlance.config.entries import DEFAULT, Entry, Merged, Source
from parlance.config.errors import Findings, Notice
from parlance.config.faults import tell_faults
from parlance.config.files import SettingsFile, read_files, read_variables
from parlance.config.implied import Catalogue, Reading, database_entry, settle
from parlance.config.schema import KeyPath
from parlance.config.session_provider import Session, find_session, provider_entry, session_entries
from parlance.config.settings import Settings
from parlance.config.sources import (
    read_argument_entries,
    read_file_entries,
    read_variable_entries,
    warn_differing_files,
)
from parlance.config.surroundings import Surroundings, Variables


class Loaded(Struct, frozen=True):
    """The tree, where each of its values came from (by path; what is not there is a default), and what to tell the
    operator. `files`: those that were read, the strongest first."""

    settings: Settings
    sources: Mapping[KeyPath, Source]
    warnings: tuple[Notice, ...]
    files: tuple[str, ...] = ()

    def source_of(self, path: KeyPath) -> Source:
        """Of a value, or of the group that was given as one value."""
        for length in range(len(path), 0, -1):
            if found := self.sources.get(path[:length]):
                return found
        return DEFAULT


def load(surroundings: Surroundings) -> Loaded:
    """Read every source. Raises `ConfigError` with all faults at once; writes nothing anywhere."""
    findings = Findings()
    variables = read_variables(surroundings, findings)
    files = read_files(surroundings, variables, findings)
    session = find_session(variables, surroundings.key_variables, findings)
    merged = Merged(read_entries(surroundings, variables, files, session, findings))
    settle(Reading(merged, variables, Catalogue(surroundings.key_variables, surroundings.hosts), session, findings))
    settings = build(merged, findings)
    sources = {entry.path: entry.source for entry in merged.all()}
    labels = tuple(file.label for file in reversed(files))
    return Loaded(settings, sources, tuple(findings.notices), labels)


def read_entries(
    surroundings: Surroundings,
    variables: Variables,
    files: list[SettingsFile],
    session: Session | None,
    findings: Findings,
) -> Iterator[Entry]:
    """Every source's entries, the weakest source first."""
    from_files = [entry for file in files for entry in read_file_entries(file, variables, findings)]
    warn_differing_files(from_files, frozenset(file.label for file in files if file.own), findings)
    yield from from_files
    if database := database_entry(variables):
        yield database
    if provider := provider_entry(variables):
        yield provider
    if session is not None:
        yield from session_entries(session, variables)
    yield from read_variable_entries(variables.dotenv, "dotenv", findings)
    yield from read_variable_entries(variables.environ, "environment", findings)
    yield from read_argument_entries(surroundings.arguments, findings)


def build(merged: Merged, findings: Findings) -> Settings:
    try:
        settings = Settings.model_validate(merged.tree())
    except ValidationError as error:
        tell_faults(error, merged, findings)
        findings.raise_faults()
        raise AssertionError("a tree that does not validate has a fault") from None
    findings.raise_faults()
    return settings
