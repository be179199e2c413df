"""JSON as the API reads it: strict, bounded, and clear about what is wrong (fault A5)."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.api.json_text import MAX_DEPTH, BrokenJson, parse

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**18) | _FLOATS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_what_json_can_say_is_read_as_it_was_meant(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_words(body: bytes) -> None:
    try:
        parse(body)
    except BrokenJson as error:
        assert error.message


def test_broken_json_names_line_and_column() -> None:
    with pytest.raises(BrokenJson, match="line 2, column 7"):
        parse(b'{"a": 1,\n "b": }')


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"a": 1, "a": 2}', "/a"),
        (b'{"plan": [{"weight": 1}, {"weight": 2, "weight": 3}]}', "/plan/1/weight"),
        (b'{"labels": {"a/b": "1", "a/b": "2"}}', "/labels/a~1b"),
    ],
)
def test_a_key_that_stands_twice_is_refused_where_it_stands(body: bytes, pointer: str) -> None:
    with pytest.raises(BrokenJson, match="twice") as caught:
        parse(body)
    assert (caught.value.pointer, caught.value.code) == (pointer, "duplicate_key")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 20, "9" * 1_000_000, "1." + "0" * 99]
)
def test_a5_numbers_that_no_two_readers_agree_on_are_refused_where_they_stand(number: str) -> None:
    with pytest.raises(BrokenJson) as caught:
        parse(f'{{"split": [{{"weight": {number}}}]}}'.encode())
    assert (caught.value.pointer, caught.value.code) == ("/split/0/weight", "number")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000, 100_000])
def test_a5_nesting_beyond_the_limit_is_refused(depth: int) -> None:
    for body in (b"[" * depth + b"]" * depth, b"[" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(BrokenJson):
            parse(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    assert parse(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]
    assert parse(b"[" + b",".join([b'{"a":[]}'] * 1000) + b"]") == [{"a": []}] * 1000


@pytest.mark.parametrize(
    "body",
    [b'"' + b'\\"' * 500_000, b'{"a":' + b'"\\' * 500_000, b'["' + b'","'.join([b"["] * 250_000), b"[]{" * 300_000],
    ids=["escapes", "backslashes", "strings", "brackets"],
)
def test_a5_hostile_text_costs_no_more_than_its_length(body: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(BrokenJson):
        parse(body)
    assert time.monotonic() - started < 2.0


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(BrokenJson, match="byte 3"):
        parse(b'["\xff"]')


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_read() -> None:
    with pytest.raises(BrokenJson, match="surrogate"):
        parse(b'["\\ud800"]')
    assert parse(b'["\\ud83d\\ude00"]') == ["\U0001f600"]
