"""A walk finds every field where the decoder finds it, and says so when a message makes no sense."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.wire.errors import DecodeError
from xds.wire.fragments import FIXED32, FIXED64, VARINT, field, tag, varint
from xds.wire.scan import double, key, number, text, walk

FIELDS = st.one_of(
    st.tuples(st.integers(1, 3000), st.binary(max_size=300)).map(lambda at: (key(at[0]), at[1], field(*at))),
    st.tuples(st.integers(1, 3000), st.integers(0, 2**64 - 1).map(varint)).map(
        lambda at: (key(at[0], VARINT), at[1], tag(at[0], VARINT) + at[1])
    ),
    st.tuples(st.integers(1, 3000), st.binary(min_size=8, max_size=8)).map(
        lambda at: (key(at[0], FIXED64), at[1], tag(at[0], FIXED64) + at[1])
    ),
    st.tuples(st.integers(1, 3000), st.binary(min_size=4, max_size=4)).map(
        lambda at: (key(at[0], FIXED32), at[1], tag(at[0], FIXED32) + at[1])
    ),
)


@given(st.lists(FIELDS, max_size=20), st.binary(max_size=5))
def test_every_field_of_a_message_is_found_in_its_place(fields: list[tuple[int, bytes, bytes]], before: bytes) -> None:
    data = b"".join([before, *(encoded for _, _, encoded in fields)])
    found = [(at, data[start:stop]) for at, start, stop in walk(data, len(before), len(data))]
    assert found == [(at, value) for at, value, _ in fields]


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    try:
        for _, start, stop in walk(data):
            assert 0 <= start <= stop <= len(data)
    except DecodeError as error:
        assert 0 <= error.offset <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x05abc",  # longer than the message
        b"\x0b\x01",  # a group
        b"\x02\x00",  # field 0
        b"\x09\x00",  # a double cut short
        b"\x08\xff",  # a varint cut short
        b"\x0a" + b"\xff" * 11,  # a length without end
    ],
)
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        list(walk(data))


def test_a_field_inside_a_message_may_not_leave_it() -> None:
    with pytest.raises(DecodeError, match="beyond"):
        list(walk(b"\x0a\x03abc", 0, 4))


def test_values_are_read_where_they_lie() -> None:
    data = varint(300) + struct.pack("<d", 2.5) + b"caf\xc3\xa9\xff"
    assert number(data, 0) == 300
    assert double(data, 2) == 2.5
    assert text(data, 10, 15) == "café"
    with pytest.raises(DecodeError, match="UTF-8"):
        text(data, 10, 16)
