"""Docstrings: every example in them is run."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import capsula

MODULES = ["capsula", *(module.name for module in walk_packages(capsula.__path__, "capsula."))]
PROGRAMS = ("__main__", "probes.")
"""What is run, and not imported."""


def examples() -> list[doctest.DocTest]:
    names = [name for name in MODULES if not any(program in name for program in PROGRAMS)]
    found = [test for name in names for test in doctest.DocTestFinder().find(import_module(name))]
    return [test for test in found if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_an_example_answers_as_it_says(example: doctest.DocTest) -> None:
    told: list[str] = []

    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)

    assert (outcome.failed, told) == (0, [])


def test_the_public_functions_are_among_the_examples() -> None:
    names = {example.name for example in examples()}

    assert names >= {"capsula.api.load", "capsula.api.collect", "capsula.api.record", "capsula.decorator.monitor"}
