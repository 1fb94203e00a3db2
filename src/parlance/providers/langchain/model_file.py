"""The operator's Python file: loads it, and makes the models that it says how to make."""

import importlib.util
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol, runtime_checkable

from parlance.core.errors import HostRejected, NoProvider
from parlance.core.provider import PythonObject
from parlance.core.requests import Request

LIBRARY: Final = "langchain_core"

KEPT: Final = 16
"""Models that are kept, made with different parameters; callers may name any."""


@runtime_checkable
class ChatModel(Protocol):
    """As much of a LangChain chat model as is used here."""

    def astream(
        self, input: Sequence[Mapping[str, object]], /, *, stop: list[str] | None = None
    ) -> AsyncIterator[object]: ...

    def bind_tools(
        self, tools: Sequence[Mapping[str, object]], /, *, tool_choice: str | None = None
    ) -> "ChatModel": ...


class ModelMaker:
    """Makes chat models: the file's object is one, or a function (or class) that returns one.

    A function is given those parameters of a request that it asks for by name (`PARAMETERS`), if the request has them.
    """

    def __init__(self, made: object, where: PythonObject, host: str) -> None:
        self._where = where
        self._host = host
        self._made: dict[tuple[tuple[str, object], ...], ChatModel] = {}
        if isinstance(made, ChatModel) and not isinstance(made, type):
            self._make: Callable[..., object] = lambda: made
            self.takes: frozenset[str] = frozenset()
        elif callable(made):
            self._make, self.takes = made, _parameters(made, self._place())
        else:
            raise NoProvider(f"{self._place()} is no chat model, and no function that makes one.")

    def model_for(self, request: Request) -> ChatModel:
        """`HostRejected` where the function returns something else; what it raises comes as it is."""
        given = {name: value for name, value in read_parameters(request).items() if name in self.takes}
        if request.model == self._where.name:
            given.pop("model", None)
        key = tuple(given.items())
        model = self._made.get(key)
        if model is not None:
            return model
        made = self._make(**given)
        if not isinstance(made, ChatModel):
            text = f"{self._place()} made a {type(made).__name__}, which is no LangChain chat model."
            raise HostRejected(text, host=self._host)
        while len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[key] = made
        return made

    def _place(self) -> str:
        return f"{self._where.name} in {self._where.file} (provider {self._host!r})"


def load_models(where: PythonObject, *, host: str) -> ModelMaker:
    """Run the operator's file. `NoProvider` says what is missing or wrong in it."""
    if importlib.util.find_spec(LIBRARY) is None:
        raise NoProvider(
            f"The provider {host!r} needs LangChain, which is not installed. Run pip install 'parlance[langchain]', "
            "and install the package of your model's host."
        )
    module = _run(where, host)
    try:
        made = getattr(module, where.name)
    except AttributeError:
        raise NoProvider(
            f"There is no {where.name} in {where.file}. Set providers.{host}.object to the name of a chat model there, "
            "or of a function that makes one."
        ) from None
    return ModelMaker(made, where, host)


def read_parameters(request: Request) -> dict[str, object]:
    """What a function may ask for, by name; what the request does not say is left out."""
    sampling = request.sampling
    said: dict[str, object] = {
        "model": request.model,
        "max_tokens": request.max_output,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "reasoning_effort": request.reasoning.effort,
    }
    return {name: value for name, value in said.items() if value is not None}


PARAMETERS: Final = ("model", "max_tokens", "temperature", "top_p", "top_k", "seed", "reasoning_effort")


def _run(where: PythonObject, host: str) -> ModuleType:
    file = Path(where.file)
    if not file.is_file():
        raise NoProvider(f"The file {where.file} is not there. Set providers.{host}.file to a Python file of yours.")
    # Dataclasses and pydantic look their module up by name, so it needs one that nobody else has.
    name = f"parlance_models_{sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NoProvider(f"{where.file} is no Python file. Its name must end in .py.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        del sys.modules[name]
        missing = error.name or "a module"
        raise NoProvider(
            f"{where.file} imports {missing}, which can't be imported. Install it, or check it."
        ) from error
    except Exception as error:
        del sys.modules[name]
        raise NoProvider(f"{where.file} failed with {type(error).__name__}{_line(error, file)}. Correct it.") from error
    return module


def _line(error: Exception, file: Path) -> str:
    """Where in the file; its words are not told, for they may quote a key."""
    if isinstance(error, SyntaxError):
        return f" at line {error.lineno}"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" at line {lines[-1]}" if lines else ""


def _parameters(make: Callable[..., object], place: str) -> frozenset[str]:
    """Those that it may be given. `NoProvider` where it can't be called with them alone."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    named = {
        one.name: one.default is one.empty
        for one in parameters
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }
    strange = [name for name, needed in named.items() if needed and name != "model"]
    strange += [one.name for one in parameters if one.kind == one.POSITIONAL_ONLY and one.default is one.empty]
    if strange:
        raise NoProvider(
            f"{place} needs {', '.join(strange)}. Give every parameter but `model` a default; a request has "
            f"{', '.join(PARAMETERS)}."
        )
    return frozenset(named) & frozenset(PARAMETERS)
