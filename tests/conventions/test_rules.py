"""Every rule of the xDS protocol has a test with its number, in every way in which it can be asked.

The rules are those of docs/protocol-rules.md. A test carries a number by its name, `test_rule_07_...`; the ways in
which tests/feature/ads/test_rules_on_the_wire.py runs it, over real gRPC, are compared with what applies.
"""

from __future__ import annotations

import ast
import functools
import re
from typing import Final

import pytest

from tests.feature.ads import test_rules_on_the_wire as wire
from tests.feature.ads.line import ADS, DELTA, SOTW, WAYS
from tests.harness.repo import files_under, text_of, tree_of

RULES: Final = range(1, 38)

LESS: Final = {
    20: DELTA,  # a state of the world that is empty is a state: it is sent by rule 21
    21: SOTW,  # delta names what it removes
    22: SOTW,  # delta sends what changed, of any type
    25: SOTW,  # delta has rule 26 instead
    26: DELTA,  # initial_resource_versions exists there only
    27: ADS,  # streams of their own have no order among them
    28: ADS,  # a stream for endpoints does not know what a stream for clusters was sent
    31: DELTA,  # virtual hosts on demand exist there only
    32: DELTA,  # so do clusters on demand
    33: (),  # polling is not served: the test shows that each of its methods is unknown
    34: (),  # says nothing of a stream: what is published was checked before
    36: (),  # a service of its own
    37: (),  # another one
}
"""The ways in which a rule applies, where these are not all four, and why."""

NAMED: Final = re.compile(r"test_rule_(\d+)_\w+")


@functools.cache
def _tests() -> tuple[str, ...]:
    """Return the names of all tests."""
    nodes = (node for path in files_under("tests") for node in ast.walk(tree_of(path)))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return tuple(function.name for function in functions if function.name.startswith("test_"))


def _ways(rule: int) -> set[str]:
    """Return the ways in which the tests of a rule run over gRPC."""
    named = (test for name, test in vars(wire).items() if name.startswith(f"test_rule_{rule:02}_"))
    return {way for test in named for way in getattr(test, "ways", ())}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_test_with_its_number(rule: int) -> None:
    assert [name for name in _tests() if name.startswith(f"test_rule_{rule:02}_")]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_tried_in_every_way_in_which_it_applies(rule: int) -> None:
    assert _ways(rule) == set(LESS.get(rule, WAYS))


def test_every_number_is_that_of_a_rule_and_has_two_digits() -> None:
    numbers = {match[1] for name in _tests() if (match := NAMED.match(name))}
    assert numbers <= {f"{rule:02}" for rule in RULES}


def test_the_page_of_the_rules_has_each_of_them() -> None:
    (page,) = (path for path in files_under("docs", suffix=".md") if path.name == "protocol-rules.md")
    text = text_of(page)
    assert text is not None
    assert [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)] == list(RULES)
