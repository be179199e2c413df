"""Expressions as Envoy judges them."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from xds.model.problems import InvalidInput
from xds.translate.regex import MAX_PROGRAM_SIZE, check_regex, literal


@pytest.mark.parametrize("pattern", ["/items/[0-9]+", "(?i)abc", "a{10}"])
def test_c2_what_re2_compiles_to_a_small_program_passes(pattern: str) -> None:
    assert check_regex(pattern, pointer="/path") == pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "empty"),
        ("/items/([", "missing"),
        (r"(a)\1", "escape"),
        ("(?=a)", "perl operator"),
        ("[a-z]{200}", f"allows {MAX_PROGRAM_SIZE}"),
    ],
)
def test_c2_the_rest_is_refused_in_words(pattern: str, words: str) -> None:
    """RE2 has neither back-references nor look-ahead; Envoy limits `re2.max_program_size.error_level` to 100."""
    with pytest.raises(InvalidInput, match=re.escape(words)) as caught:
        check_regex(pattern, pointer="/path")
    assert caught.value.pointer == "/path"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_a_literal_matches_itself_and_nothing_longer(text: str) -> None:
    assert re2.fullmatch(literal(text), text)
    assert not re2.fullmatch(literal(text), text + "x")
