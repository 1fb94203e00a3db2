"""Whatever stands in the files and the environment: settings, or one error that says what is wrong. Nothing else."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from parlance.config import ConfigError, Surroundings, choose_default, describe, load
from parlance.config.legacy import ENVIRONMENT, FILE_KEYS
from parlance.config.schema import known_paths
from tests.unit.config.reading import Desk

WORDS = sorted({name for path in (*known_paths(), *FILE_KEYS) for name in path} | {"lab", "x-y", "8"})
PATHS = [*known_paths(), *FILE_KEYS]
VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["true", "1", "0.5", "${A}", "${B:-1}", "http://a.example", "{a: b}", "[a]", "stdio", "a/b"]),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
)
TREES = st.recursive(
    VALUES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(WORDS), below, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [row.variable for row in ENVIRONMENT]
    + ["PARLANCE_" + "__".join(path).upper().replace("*", "X") for path in known_paths()]
    + ["LLM_PROVIDER", "API_KEY_ENV_VAR", "LLM_BASE_URL", "LLM_MODEL_NAME", "DEEPSEEK_API_KEY", "DB_HOST", "DB_PORT"]
    + ["LLM__HOST", "LLM__DEBUG", "APP_ENV", "PARLANCE_PROVIDERS", "PARLANCE_MODELS", "PARLANCE___", "A"]
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, object]:
    """A file's tree in which most keys are real ones, at any depth, with any value."""
    root: dict[str, object] = {}
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=6)):
        place = root
        for name in path[:-1]:
            below = place.setdefault("lab" if name == "*" else name, {})
            if not isinstance(below, dict):
                break
            place = below
        place["lab" if path[-1] == "*" else path[-1]] = draw(TREES)
    return root


@given(own=files(), other=files(), environ=st.dictionaries(NAMES, st.text(max_size=12) | st.just("${A}"), max_size=5))
def test_settings_or_one_error(own: dict[str, object], other: dict[str, object], environ: dict[str, str]) -> None:
    folder = Path("anything")
    desk = Desk(folder)
    desk.put(parlance=yaml.safe_dump(own, allow_unicode=True), config=yaml.safe_dump(other, allow_unicode=True))
    try:
        loaded = load(Surroundings(environ, folder))
    except ConfigError:
        return
    assert describe(loaded)
    assert choose_default(loaded.settings, []).text
