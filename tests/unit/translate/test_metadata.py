"""Facts in metadata, written by hand and read by the message classes."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import Metadata
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from xds.translate.metadata import metadata
from xds.wire.codec import decode
from xds.wire.plain import to_plain

VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_is_what_betterproto_reads(facts: dict[str, JsonValue]) -> None:
    plain = to_plain(decode(Metadata, metadata(facts)))
    assert plain == {"filter_metadata": {"fairlead": facts}}
