"""Turns each source into entries of the tree, the weakest first. What then follows from them is `config.implied`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from parlance.config.entries import Entry, Source
from parlance.config.errors import Findings
from parlance.config.files import SettingsFile
from parlance.config.legacy import (
    ALIASED_PATHS,
    ENVIRONMENT,
    FILE_KEYS,
    FOREIGN_SECTIONS,
    NESTED_PREFIXES,
    SHARED_SECTIONS,
    Convert,
    map_servers,
    translate_key,
)
from parlance.config.schema import KeyPath, is_group, is_known, is_secret, nearest_name, nearest_path
from parlance.config.sections.providers import ModelsSettings, ProviderSettings
from parlance.config.surroundings import Variables
from parlance.config.variables import Expanded, expand
from parlance.config.yaml_text import parse_yaml

PREFIX = "PARLANCE_"
FOREIGN_NAMES = (
    *(".".join(key) for key in FILE_KEYS if len(key) > 1),
    *(f"{section}.{field}" for section in sorted(FOREIGN_SECTIONS) for field in ProviderSettings.model_fields),
)
OTHER_OWN_NAMES = frozenset({"PARLANCE_CONFIG", "PARLANCE_KEY", "PARLANCE_URL"})


def place_of(path: KeyPath) -> KeyPath:
    """The names of routes stand beside `models.default`; in the tree they stand below `models.routes`."""
    if len(path) > 1 and path[0] == "models" and path[1] not in ModelsSettings.model_fields:
        return ("models", "routes", *path[1:])
    return path


def flatten(value: object, above: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Each value with its path. A provider of which nothing is said still counts as named."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from flatten(below, (*above, str(key)))
    elif len(above) == 2 and above[0] == "providers" and value in (None, "", {}):
        yield (*above, "host"), above[1]
    else:
        yield above, None if isinstance(value, Mapping) else value


def read_file_entries(file: SettingsFile, variables: Variables, findings: Findings) -> Iterator[Entry]:
    for key, value in flatten(with_server_map(file, findings)):
        source = Source("file", ".".join(key), file.label)
        path, convert = translate_key(place_of(key))
        if not is_known(path):
            tell_unknown(key, file, findings)
            continue
        entry = make_entry(path, expand(value, variables.text), source, convert, findings)
        if entry is not None:
            yield entry


def with_server_map(file: SettingsFile, findings: Findings) -> Mapping[str, object]:
    mcp = file.data.get("mcp")
    if not isinstance(mcp, Mapping) or not isinstance(mcp.get("servers"), list):
        return file.data
    try:
        return {**file.data, "mcp": {**mcp, "servers": map_servers(mcp["servers"])}}
    except ValueError as fault:
        findings.fault(f"{file.label}: mcp.servers", str(fault))
        return {**file.data, "mcp": {}}


def tell_unknown(key: KeyPath, file: SettingsFile, findings: Findings) -> None:
    """In our own sections a mistake must not pass for a setting; in the four systems' it may be something we lack."""
    known_section = is_known(place_of(key[:1]))
    foreign = key[0] in FOREIGN_SECTIONS
    if not file.own:
        foreign = foreign or key[0] in SHARED_SECTIONS or not known_section
    near = nearest_name(".".join(key), FOREIGN_NAMES) if foreign else None
    near = near or spell(nearest_path(place_of(key)))
    hint = f"; did you mean {near}?" if near else ""
    if foreign:
        findings.warn("unknown_key", f"{file.label}: {'.'.join(key)} is not known and was passed over{hint}")
    else:
        findings.fault(f"{file.label}: {'.'.join(key)}", f"there is no such setting{hint or '; take it out'}")


def spell(path: KeyPath | None) -> str:
    """A path as a file writes it."""
    if path is None:
        return ""
    return ".".join(("models", *path[2:]) if path[:2] == ("models", "routes") and len(path) > 2 else path)


def make_entry(
    path: KeyPath, found: Expanded, source: Source, convert: Convert | None, findings: Findings
) -> Entry | None:
    """The entry, or None if the value is empty, which counts as unset."""
    value = found.value
    hidden = found.filled or is_secret(path)
    if found.missing:
        return Entry(path, value, source, found.missing, hidden)
    if isinstance(value, str) and convert is not None and value.strip():
        try:
            value = convert(value)
        except ValueError as fault:
            findings.fault(source, str(fault))
            return None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return Entry(path, value, source, hidden=hidden)


def read_variable_entries(
    variables: Mapping[str, str], kind: Literal["environment", "dotenv"], findings: Findings
) -> Iterator[Entry]:
    """The entries of the environment or of `.env`: the four systems' names, then Parlance's own, which are stronger.
    Of those, one for a group is weaker than one for a key in it."""
    place = ".env" if kind == "dotenv" else ""
    named = sorted(variables.items(), key=lambda pair: (pair[0].count("__"), pair[0]))
    for name, value in named:
        if name.upper().startswith(NESTED_PREFIXES):
            path, convert = translate_key(tuple(name.lower().split("__")))
            if is_known(path):
                yield from entries_of(path, value, Source(kind, name, place), convert, findings)
    for row in reversed(ENVIRONMENT):
        if row.variable in variables and row.only in (None, kind):
            source = Source(kind, row.variable, place)
            yield from entries_of(row.path, variables[row.variable], source, row.convert, findings)
    for name, value in named:
        if name.upper().startswith(PREFIX) and name.upper() not in OTHER_OWN_NAMES:
            path = place_of(tuple(name[len(PREFIX) :].lower().split("__")))
            if is_known(path):
                yield from entries_of(path, value, Source(kind, name, place), None, findings)
            else:
                warn_unknown_variable(name, path, findings)


def entries_of(
    path: KeyPath, value: str, source: Source, convert: Convert | None, findings: Findings
) -> Iterator[Entry]:
    """One text's entries: several where it holds a whole section as `{key: value}`."""
    data: object = value
    if value.startswith("{") and is_group(path):
        try:
            data = parse_yaml(value)
        except ValueError as fault:
            findings.fault(source, str(fault))
            return
    for leaf, item in flatten(data, path):
        if not is_known(leaf):
            findings.fault(source, f"there is no setting {'.'.join(leaf)}; take it out")
            continue
        entry = make_entry(leaf, Expanded(item), source, convert, findings)
        if entry is not None:
            yield entry


def warn_unknown_variable(name: str, path: KeyPath, findings: Findings) -> None:
    near = nearest_path(path)
    meant = PREFIX + "__".join(near).upper() if near else nearest_name(name.upper(), OTHER_OWN_NAMES)
    hint = f"; did you mean {meant}?" if meant else ""
    findings.warn("unknown_variable", f"{name} is no setting of Parlance and was passed over{hint}")


def read_argument_entries(arguments: Mapping[str, str], findings: Findings) -> Iterator[Entry]:
    for name, value in arguments.items():
        path = place_of(tuple(name.split(".")))
        if is_known(path):
            yield from entries_of(path, value, Source("argument", name), None, findings)
        else:
            near = spell(nearest_path(path))
            hint = f"; did you mean {near}?" if near else ""
            findings.fault(f"argument {name}", f"there is no such setting{hint}")


def warn_differing_files(entries: Iterable[Entry], own_files: frozenset[str], findings: Findings) -> None:
    """Two systems' files side by side may contradict each other on the few keys they share."""
    said: dict[KeyPath, list[Entry]] = {path: [] for path in ALIASED_PATHS}
    for entry in entries:
        if entry.path in said and entry.source.place not in own_files:
            said[entry.path].append(entry)
    for found in said.values():
        if len({str(entry.value) for entry in found}) > 1:
            *weaker, holds = found
            others = " and ".join(str(entry.source) for entry in weaker)
            findings.warn("files_differ", f"{others} and {holds.source} differ; {holds.source} holds")
