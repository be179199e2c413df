"""The writers of the wire format, against betterproto2's."""

from __future__ import annotations

import betterproto2
from hypothesis import example, given
from hypothesis import strategies as st

from xds.wire import fragments


@given(st.integers(-(2**63), 2**64 - 1))
@example(0)
@example(127)
@example(128)
@example(2047)
@example(2048)
@example(-1)
def test_a_varint_is_the_one_that_betterproto_writes(value: int) -> None:
    assert fragments.varint(value) == betterproto2.encode_varint(value)


@given(number=st.integers(1, 2**29 - 1), payload=st.binary(max_size=300))
def test_a_field_is_key_length_and_payload(number: int, payload: bytes) -> None:
    (parsed,) = betterproto2.parse_fields(fragments.field(number, payload))
    assert (parsed.number, parsed.wire_type, parsed.value) == (number, fragments.LENGTH, payload)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_joined_entries_come_apart_in_order(entries: list[bytes]) -> None:
    joined = fragments.join_repeated(2, entries)
    assert [parsed.value for parsed in betterproto2.parse_fields(joined)] == entries
    assert joined == b"".join(fragments.field(2, entry) for entry in entries)


def test_an_empty_string_is_left_out() -> None:
    assert fragments.text(3, "") == b""
    assert fragments.text(3, "ä") == b"\x1a\x02\xc3\xa4"
