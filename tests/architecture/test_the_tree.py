"""The tree as it stands keeps every rule. That each rule bites is shown in test_rules_bite.py."""

from collections.abc import Sequence
from pathlib import Path

from tests.architecture.rules import (
    documents,
    floors,
    imports,
    languages,
    names,
    pins,
    remarks,
    signatures,
    sizes,
    traces,
    vendors,
    waits,
)
from tests.architecture.rules.source import Finding

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/parlance"
TESTS = ROOT / "tests"
BENCH = ROOT / "bench"


def assert_none(findings: Sequence[Finding]) -> None:
    assert not findings, "\n" + "\n".join(map(str, findings))


def test_files_functions_and_parameter_lists_are_small() -> None:
    assert_none(sizes.find(SOURCE, sizes.read_exemptions(ROOT / "tests/architecture/exceptions.toml")))


def test_test_files_are_small_too() -> None:
    assert_none([finding for finding in sizes.find(TESTS, []) if "file_lines" in finding.message])


def test_the_benchmark_reads_like_the_rest() -> None:
    rules = (names.find, vendors.find, imports.find, signatures.find, remarks.find)
    assert_none([*sizes.find(BENCH, []), *(finding for find in rules for finding in find(BENCH))])


def test_names_say_something() -> None:
    assert_none(names.find(SOURCE))


def test_no_decision_names_a_vendor() -> None:
    assert_none(vendors.find(SOURCE))


def test_imports_stand_at_the_top() -> None:
    assert_none(imports.find(SOURCE))


def test_what_crosses_a_border_has_a_type() -> None:
    assert_none(signatures.find(SOURCE))


def test_a_language_is_entered_by_its_modules() -> None:
    assert_none(languages.find(SOURCE))


def test_what_is_put_off_or_switched_off_gives_a_reason() -> None:
    assert_none([*remarks.find(SOURCE), *remarks.find(TESTS)])


def test_tests_wait_for_events() -> None:
    assert_none(waits.find(TESTS))


def test_the_tree_names_no_machine_and_no_registry() -> None:
    assert_none(traces.find(ROOT))


def test_requirements_are_pinned_with_hashes() -> None:
    assert_none(pins.find(ROOT))


def test_documents_agree_with_the_code() -> None:
    assert_none(documents.find(ROOT))


def test_the_contracts_of_the_rooms_forget_none() -> None:
    assert_none(floors.find(ROOT))
