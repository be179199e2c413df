"""The form in which maps of headers travel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.proxywasm.pairs import MOST_BYTES, MOST_PAIRS, BadPairs, decode, encode

ONE = b"\x01\0\0\0" + b"\x01\0\0\0\x02\0\0\0" + b"a\0bc\0"


def test_one_pair_has_the_bytes_that_the_abi_says() -> None:
    assert encode([(b"a", b"bc")]) == ONE
    assert decode(ONE) == [(b"a", b"bc")]


def test_an_empty_map_is_no_bytes_and_a_count_of_zero_is_empty_too() -> None:
    assert encode([]) == b""
    assert decode(b"") == []
    assert decode(b"\0\0\0\0") == []


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=30))
def test_what_is_encoded_is_decoded(pairs: list[tuple[bytes, bytes]]) -> None:
    assert decode(encode(pairs)) == pairs


@given(st.binary(max_size=200))
def test_any_bytes_are_pairs_or_refused(data: bytes) -> None:
    try:
        pairs = decode(data)
    except BadPairs:
        return
    assert not pairs or encode(pairs) == data


@pytest.mark.parametrize("cut", range(1, len(ONE)))
def test_every_cut_is_refused(cut: int) -> None:
    with pytest.raises(BadPairs):
        decode(ONE[:cut])


@pytest.mark.parametrize(
    "data",
    [
        ONE + b"\0",
        ONE[:-1] + b"x",
        ONE.replace(b"a\0", b"ax"),
        struct.pack("<I", 0xFFFF_FFFF),
        struct.pack("<III", 1, 0xFFFF_FFFF, 0xFFFF_FFFF) + b"\0\0",
        struct.pack("<I", MOST_PAIRS + 1) + bytes(10 * (MOST_PAIRS + 1)),
        bytes(MOST_BYTES + 1),
    ],
)
def test_bytes_after_the_end_missing_zero_bytes_and_absurd_sizes_are_refused(data: bytes) -> None:
    with pytest.raises(BadPairs):
        decode(data)


def test_more_than_the_host_in_envoy_takes_is_refused_on_the_way_out_too() -> None:
    assert len(decode(encode([(b"", b"")] * MOST_PAIRS))) == MOST_PAIRS
    with pytest.raises(BadPairs):
        encode([(b"", b"")] * (MOST_PAIRS + 1))
    with pytest.raises(BadPairs):
        encode([(b"k", bytes(MOST_BYTES))])
