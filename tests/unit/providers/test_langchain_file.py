"""The operator's own Python file: what it may hold, and what is said where it can't be used."""

import sys
from pathlib import Path

import pytest

from parlance.core.errors import HostRejected, NoProvider
from parlance.core.messages import user_message
from parlance.core.provider import HostSpec, PythonObject
from parlance.core.requests import Request
from parlance.providers.catalog import HostSetup, find_host, join_host
from parlance.providers.langchain.model_file import LIBRARY, ModelMaker, load_models
from parlance.providers.langchain.provider import open_langchain

MODEL = """
class Model:
    def __init__(self, **given): self.given = given
    def astream(self, messages, stop=None): ...
    def bind_tools(self, tools, tool_choice=None): return self
"""
ASK = Request(model="small", messages=(user_message("Hello?"),))


def loaded(folder: Path, text: str, name: str = "make_model") -> ModelMaker:
    file = folder / "models.py"
    file.write_text(MODEL + text)
    return load_models(PythonObject(str(file), name), host="mine")


def refusal(folder: Path, text: str, name: str = "make_model") -> str:
    with pytest.raises(NoProvider) as caught:
        loaded(folder, text, name)
    return caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "make_model = Model()",
        "make_model = Model",
        "def make_model(): return Model()",
        "def make_model(model, *, temperature=None): return Model(model=model)",
        "from dataclasses import dataclass\n@dataclass\nclass X: x: int = 1\ndef make_model(**more): return Model()",
    ],
)
def test_the_object_is_a_model_or_makes_one(tmp_path: Path, text: str) -> None:
    maker = loaded(tmp_path, text)
    assert maker.model_for(ASK) is maker.model_for(ASK)


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("x = 1", "make_model", "There is no make_model in"),
        ("make_model = 1", "make_model", "is no chat model, and no function that makes one"),
        ("def make_model(url): ...", "make_model", "needs url"),
        ("import not_there_at_all", "make_model", "imports not_there_at_all, which can't be imported"),
        ("x = 1\nraise RuntimeError('sk-canary')", "make_model", "failed with RuntimeError at line 7"),
        ("def make_model(:", "make_model", "failed with SyntaxError at line 6"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_without_its_words(tmp_path: Path, text: str, name: str, told: str) -> None:
    message = refusal(tmp_path, text, name)
    assert told in message
    assert "models.py" in message
    assert "canary" not in message


def test_a_missing_file_or_setting_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(NoProvider, match=r"nowhere\.py is not there\. Set providers\.mine\.file"):
        load_models(PythonObject(str(tmp_path / "nowhere.py"), "make_model"), host="mine")
    with pytest.raises(NoProvider, match=r"set providers\.mine\.file|Set providers\.mine\.file"):
        open_langchain(HostSpec("mine", "langchain", ""))


def test_without_langchain_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    assert "pip install 'parlance[langchain]'" in refusal(tmp_path, "make_model = Model()")


def test_a_function_that_makes_something_else_is_told_when_it_is_asked(tmp_path: Path) -> None:
    with pytest.raises(HostRejected, match="made a int, which is no LangChain chat model"):
        loaded(tmp_path, "def make_model(): return 1").model_for(ASK)


def test_its_models_are_those_that_the_settings_name_else_one_of_the_objects_name() -> None:
    row = find_host("langchain")
    assert row is not None
    where = PythonObject("models.py", "make_model")
    for setup, models in [
        (HostSetup(made_by=where), ("make_model",)),
        (HostSetup(made_by=where, model="small"), ("small",)),
        (HostSetup(made_by=where, models=("small", "large")), ("small", "large")),
    ]:
        spec = join_host("mine", row, setup)
        assert (spec.models, spec.default_model, spec.made_by) == (models, models[0], where)
