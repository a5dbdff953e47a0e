"""The catalogue of mutants fits the code: each edit has its place, and the tests that it names are there."""

from __future__ import annotations

import ast

from tests.mutations.catalogue import ROOT, catalogue

MUTANTS = catalogue()


def test_each_edit_has_its_place_and_is_python() -> None:
    for mutant in MUTANTS:
        text = mutant.applied(ROOT)
        assert text != (ROOT / mutant.file).read_text(), mutant.name
        if mutant.file.endswith(".py"):
            ast.parse(text)


def test_names_are_unique_and_the_tests_exist() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            path, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text(), test
