"""Each rule of the tree, shown to fail where it is broken and to stay quiet where it is not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.architecture.rules import imports, languages, names, remarks, signatures, sizes, traces, vendors, waits
from tests.architecture.rules.source import Finding

Rule = Callable[[Path], Sequence[Finding]]


def findings(rule: Rule, tree: Path, path: str, text: str) -> list[str]:
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [str(finding) for finding in rule(tree)]


def sizes_without_exemptions(tree: Path) -> list[Finding]:
    return sizes.find(tree, [])


LONG_FUNCTION = "def act() -> None:\n" + "    print()\n" * 60

BROKEN: list[tuple[Rule, str, str, str]] = [
    (sizes_without_exemptions, "a.py", "x = 1\n" * 401, "file_lines 401, more than 400"),
    (sizes_without_exemptions, "a.py", LONG_FUNCTION, "function_lines 61, more than 60"),
    (sizes_without_exemptions, "a.py", "def f(a, b, c, *, d, e, f, g): ...\n", "parameters 7, more than 6"),
    (names.find, "engine/utils.py", "", "`utils` says nothing"),
    (names.find, "engine/turn_helpers.py", "", "`turn_helpers` says nothing"),
    (names.find, "common/turn.py", "", "`common` says nothing"),
    (names.find, "base_door.py", "", "`base_door` says nothing"),
    (names.find, "a.py", "class TurnManager: ...\n", "class `TurnManager` says nothing"),
    (names.find, "a.py", "class BaseDoor: ...\n", "class `BaseDoor` says nothing"),
    (names.find, "a.py", "class HTTPHandler: ...\n", "class `HTTPHandler` says nothing"),
    (names.find, "a.py", "def f(ctx: dict[str, str]) -> None: ...\n", "`ctx` is a bag"),
    (vendors.find, "engine/a.py", "if host == 'openai': pass\n", "names the vendor `openai`"),
    (vendors.find, "engine/a.py", "if 'claude-sonnet' in model: pass\n", "names the vendor `claude`"),
    (vendors.find, "engine/a.py", "if host in ('x', 'ollama'): pass\n", "names the vendor `ollama`"),
    (vendors.find, "engine/a.py", "match host:\n    case 'gemini' | 'x': pass\n", "names the vendor `gemini`"),
    (vendors.find, "engine/a.py", "y = 1 if model.startswith('gpt-4') else 2\n", "names the vendor `gpt`"),
    (vendors.find, "providers/host.py", "x = language != 'openai_chat'\n", "names the vendor `openai`"),
    (imports.find, "engine/a.py", "def f():\n    import json\n", "`json` is imported inside a function"),
    (imports.find, "engine/a.py", "async def f():\n    from os import path\n", "`os` is imported inside a function"),
    (languages.find, "dialects/one/__init__.py", '"""One."""\n\nfrom a import b\n', "offers nothing itself"),
    (signatures.find, "a.py", "def f(x: Any) -> None: ...\n", "`f` lets `Any`"),
    (signatures.find, "a.py", "def f() -> dict[str, typing.Any]: ...\n", "`f` lets `Any`"),
    (signatures.find, "a.py", "class A:\n    x: list[Any]\n", "`A.x` lets `Any`"),
    (signatures.find, "a.py", "class A:\n    def f(self) -> 'list[Any]': ...\n", "`A.f` lets `Any`"),
    (signatures.find, "a.py", "def _f(**rest: str) -> None: ...\n", "takes `**rest`"),
    (remarks.find, "a.py", "x = 1  # TODO\n", "`TODO` without a reason"),
    (remarks.find, "a.py", "x = 1  # FIXME: later\n", "`FIXME` without a reason"),
    (remarks.find, "a.py", "x = 1  # noqa: E501\n", "`noqa` without a reason"),
    (remarks.find, "a.py", "x = 1  # noqa because the line is long\n", "`noqa` without the code"),
    (remarks.find, "a.py", "x = 1  # type: ignore[misc]\n", "`type: ignore` without a reason"),
    (remarks.find, "a.py", "# ------ phase 2 ------\n", "a banner"),
    (traces.find, "notes.md", f"see /{'root'}/notes\n", "a path of one machine"),
    (traces.find, "notes.md", f"see /{'home'}/ada/notes\n", "a path of one machine"),
    (traces.find, "r.txt", f"--index-url {'https'}://packages.example/\n", "the address of a package registry"),
    (traces.find, "r.txt", f"{'https'}://packages.example/simple/x\n", "the address of a package registry"),
    (traces.find, "r.txt", f"--{'find'}-links /wheels\n", "the address of a package registry"),
    (traces.find, "uv.lock", "", "a lock file"),
    (waits.find, "unit/test_a.py", "async def test_x():\n    await asyncio.sleep(0.1)\n", "a test sleeps"),
    (waits.find, "unit/test_a.py", "sleep(1)\n", "a test sleeps"),
]


@pytest.mark.parametrize(("rule", "path", "text", "message"), BROKEN)
def test_a_rule_fails_where_it_is_broken(rule: Rule, path: str, text: str, message: str, tmp_path: Path) -> None:
    assert message in "\n".join(findings(rule, tmp_path, path, text))


KEPT: list[tuple[Rule, str, str]] = [
    (sizes_without_exemptions, "a.py", "class A:\n    def f(self, a, b, c, d, e, f): ...\n"),
    (names.find, "a.py", "class QuietHandler(logging.StreamHandler[TextIO]): ...\n"),
    (names.find, "database.py", "class Basement: ...\n\ndef f(metadata: Metadata) -> None: ...\n"),
    (vendors.find, "dialects/anthropic/a.py", "if host == 'openai': pass\n"),
    (vendors.find, "providers/catalog.py", "if host == 'openai': pass\n"),
    (vendors.find, "engine/a.py", "names = {'openai': 1}\nif say == 'altogether': pass\n"),
    (imports.find, "app/a.py", "def f():\n    import json\n"),
    (imports.find, "engine/a.py", "if TYPE_CHECKING:\n    import json\n"),
    (languages.find, "dialects/one/__init__.py", '"""One."""\n'),
    (signatures.find, "a.py", "class _A:\n    x: Any\n\ndef _f(x: Any) -> None: ...\n"),
    (remarks.find, "a.py", "x = 1  # type: ignore[misc]  # the stubs of that library are wrong\n"),
    (remarks.find, "a.py", "x = 'TODO'  # noqa: S105 - a word, and no password at all\n"),
    (traces.find, "README.md", f"http://127.0.0.1:8000/{'work'}/x and ./home/x and https://example.com/docs\n"),
    (traces.find, "notes/.venv/pyvenv.cfg", f"home = /{'root'}/x\n"),
    (waits.find, "unit/test_a.py", "async def test_x():\n    await asyncio.sleep(0)\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_a_rule_is_quiet_where_it_is_kept(rule: Rule, path: str, text: str, tmp_path: Path) -> None:
    assert findings(rule, tmp_path, path, text) == []


def test_an_owner_may_import_its_heavy_library_late(tmp_path: Path) -> None:
    owners = {"providers/heavy.py": frozenset({"heavylib"})}
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers/heavy.py").write_text("def f():\n    import heavylib.chat\n    import json\n")
    assert [finding.message.split()[0] for finding in imports.find(tmp_path, owners)] == ["`json`"]


@pytest.mark.parametrize(
    ("size", "message"),
    [(60, "grew from 60 to 61"), (61, None), (62, "shrank: set its exception to 61")],
)
def test_the_list_of_exceptions_only_shrinks(size: int, message: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(LONG_FUNCTION)
    found = sizes.find(tmp_path, [sizes.Exemption("function_lines", "a.py", "act", size, "it is one table")])
    assert [message in finding.message for finding in found if message] == ([True] if message else [])
    assert bool(found) == bool(message)


def test_an_exception_that_is_no_longer_needed_fails(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def act() -> None: ...\n")
    found = sizes.find(tmp_path, [sizes.Exemption("function_lines", "a.py", "act", 61, "it is one table")])
    assert "needs its exception no longer" in found[0].message


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "exceptions.toml"
    file.write_text('[[exception]]\nrule = "file_lines"\npath = "a.py"\nname = "a.py"\nsize = 500\nreason = "long"\n')
    with pytest.raises(ValueError, match="gives no reason"):
        sizes.read_exemptions(file)
