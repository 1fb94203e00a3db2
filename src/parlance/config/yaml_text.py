"""YAML in which every value is text, a list, a mapping or nothing: the settings tree alone says what is a number."""

from collections.abc import Hashable

import yaml

KEPT_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class RepeatedKey(Exception):
    def __init__(self, key: str, line: int) -> None:
        super().__init__(f"line {line}: {key} stands twice")


class PlainLoader(yaml.SafeLoader):
    """Without YAML's guesses: `010` stays `010`, and `no` is no truth value until a setting says so."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class declares it as an instance's
        letter: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT_TAGS]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                raise RepeatedKey(name, key.start_mark.line + 1)
            seen.add(name)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> object:
    """The text's one document; `ValueError` says the place of a fault, never the text there, which may be a secret."""
    try:
        return yaml.load(text, PlainLoader)  # noqa: S506 - PlainLoader is a SafeLoader
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}this is not valid YAML") from None
    except RepeatedKey as fault:
        raise ValueError(f"{fault}; keep one of the two") from None
    except (yaml.YAMLError, RecursionError, TypeError):
        raise ValueError("this is not valid YAML") from None
