"""What is wrong with the settings: gathered while they are read, told all at once."""

from msgspec import Struct


class Problem(Struct, frozen=True):
    """`place` names the source and the key; `text` says what is there and what to write instead."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class Notice(Struct, frozen=True):
    """Something the operator should know, though Parlance starts. `code` is stable."""

    code: str
    text: str


class ConfigError(Exception):
    """The settings can't be used. `problems` holds every fault that was found; no text holds a secret."""

    def __init__(self, problems: tuple[Problem, ...], code: str = "config_invalid") -> None:
        self.code = code
        self.problems = problems
        count = "1 setting is wrong" if len(problems) == 1 else f"{len(problems)} settings are wrong"
        self.message = "\n".join([f"Parlance can't start: {count}.", *(f"- {problem}" for problem in problems)])
        super().__init__(self.message)


class Findings:
    """Problems and notices, in the order in which they were met; each once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Notice] = []

    def fault(self, place: object, text: str) -> None:
        problem = Problem(str(place), text)
        if problem not in self.problems:
            self.problems.append(problem)

    def warn(self, code: str, text: str) -> None:
        notice = Notice(code, text)
        if notice not in self.notices:
            self.notices.append(notice)

    def raise_faults(self) -> None:
        if self.problems:
            raise ConfigError(tuple(self.problems))
