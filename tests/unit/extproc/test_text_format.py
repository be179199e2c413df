"""Route metadata comes as protobuf's text format and becomes what was declared, whatever it holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.extproc.text_format import BadText, filter_metadata

FACTS = (
    'filter_metadata { key: "fairlead" value { fields { key: "salt" value { string_value: "a \\"b\\" \\303\\251\\n" } '
    '} fields { key: "split" value { list_value { values { list_value { values { string_value: "web/v1" } '
    'values { number_value: 9000 } } } } } } fields { key: "key" value { struct_value { fields { key: "header" '
    'value { string_value: "x-user" } } } } } fields { key: "service" value { bool_value: false } } '
    'fields { key: "none" value { null_value: NULL_VALUE } } fields { key: "half" value { number_value: 0.5 } } } }'
)


def test_envoys_own_text_is_read() -> None:
    """As Envoy 1.40 sends it in `xds.route_metadata`."""
    assert filter_metadata(FACTS)["fairlead"] == {
        "salt": 'a "b" é\n',
        "split": [["web/v1", 9000]],
        "key": {"header": "x-user"},
        "service": False,
        "none": None,
        "half": 0.5,
    }


def test_other_spellings_of_the_same_are_read() -> None:
    """protobuf marks and varies its debug text on purpose, so that nobody compares it byte by byte."""
    text = "goo.gle/debugonly  filter_metadata: <key: 'fair' \"lead\" value: {fields {key: 'a' "
    text += "value {string_value: '\\x41'}}}>"
    assert filter_metadata(text) == {"fairlead": {"a": "A"}}


def test_what_metadata_does_not_have_is_skipped() -> None:
    text = 'typed_filter_metadata { key: "x" value { [type.googleapis.com/a.B] { c: 1 } } } ' + FACTS
    assert set(filter_metadata(text)) == {"fairlead"}


@pytest.mark.parametrize(
    "text",
    [
        "filter_metadata {", "filter_metadata { key", "}", '"', "{", 'filter_metadata { key: "a" } }', "a { b: c" * 99,
        "filter_metadata { key: 1 value { } }",
        'filter_metadata { key: "a" value { fields { key: "b" value { number_value: x } } } }',
    ],
)  # fmt: skip
def test_what_is_no_text_format_is_refused(text: str) -> None:
    with pytest.raises(BadText):
        filter_metadata(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadText):
        filter_metadata(text)


def _escaped(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\"\\'" else f"\\{byte:03o}" for byte in data)


@given(st.text())
def test_any_string_survives(value: str) -> None:
    text = 'filter_metadata { key: "k" value { fields { key: "v" value { string_value: "%s" } } } }'
    text %= _escaped(value.encode())
    assert filter_metadata(text) == {"k": {"v": value}}
