"""Node matchers as Envoy defines them (type/matcher/v3), and what is wrong in them in words."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.type.matcher.v3 import (
    DoubleMatcher,
    ListMatcher,
    NodeMatcher,
    OrMatcher,
    RegexMatcher,
    StringMatcher,
    StructMatcher,
    StructMatcherPathSegment,
    ValueMatcher,
    ValueMatcherNullMatch,
)
from envoy_data_plane.envoy.type.v3 import DoubleRange
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig

from xds.ads.matching import matching
from xds.cache import Node
from xds.model.problems import PeerError

METADATA = {"app": {"tier": "Edge", "port": 8080.0, "on": True, "none": None, "zones": ["eu-1", "eu-2"]}}
EDGE = Node("edge-1", metadata=METADATA)


def by_id(**fields: object) -> list[NodeMatcher]:
    return [NodeMatcher(node_id=StringMatcher(**fields))]  # type: ignore[arg-type]  # one of several fields


def by_metadata(*keys: str, **fields: object) -> list[NodeMatcher]:
    path = [StructMatcherPathSegment(key=key) for key in keys]
    value = ValueMatcher(**fields)  # type: ignore[arg-type]  # as above
    return [NodeMatcher(node_metadatas=[StructMatcher(path=path, value=value)])]


def regex(pattern: str) -> RegexMatcher:
    return RegexMatcher(regex=pattern)


def test_no_matcher_means_every_node() -> None:
    assert matching([])(Node("any"))


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"exact": "edge-1"}, True),
        ({"exact": "edge"}, False),
        ({"exact": "EDGE-1"}, False),
        ({"exact": "EDGE-1", "ignore_case": True}, True),
        ({"prefix": "ed"}, True),
        ({"prefix": "dge"}, False),
        ({"prefix": "ED", "ignore_case": True}, True),
        ({"suffix": "-1"}, True),
        ({"suffix": "-"}, False),
        ({"suffix": "GE-1", "ignore_case": True}, True),
        ({"contains": "ge-"}, True),
        ({"contains": "GE"}, False),
        ({"contains": "GE", "ignore_case": True}, True),
        ({"safe_regex": regex("edge-[0-9]")}, True),
        ({"safe_regex": regex("edge")}, False),
        ({"safe_regex": regex("EDGE-1"), "ignore_case": True}, False),
        ({"safe_regex": regex("(?i)EDGE-1")}, True),
    ],
)
def test_a_node_id_is_matched_as_a_string(fields: dict[str, object], fits: bool) -> None:
    assert matching(by_id(**fields))(EDGE) is fits


@pytest.mark.parametrize(
    ("keys", "fields", "fits"),
    [
        (("app", "tier"), {"string_match": StringMatcher(exact="Edge")}, True),
        (("app", "tier"), {"string_match": StringMatcher(prefix="e")}, False),
        (("app", "port"), {"string_match": StringMatcher(exact="8080")}, False),
        (("app", "nowhere"), {"string_match": StringMatcher(contains="e")}, False),
        (("app", "tier", "deeper"), {"string_match": StringMatcher(contains="e")}, False),
        (("app", "on"), {"bool_match": True}, True),
        (("app", "on"), {"bool_match": False}, False),
        (("app", "port"), {"double_match": DoubleMatcher(exact=8080)}, True),
        (("app", "on"), {"double_match": DoubleMatcher(exact=1)}, False),
        (("app", "port"), {"double_match": DoubleMatcher(range=DoubleRange(start=8080, end=9000))}, True),
        (("app", "port"), {"double_match": DoubleMatcher(range=DoubleRange(start=8000, end=8080))}, False),
        (("app", "tier"), {"present_match": True}, True),
        (("app", "nowhere"), {"present_match": True}, False),
        (("app", "nowhere"), {"present_match": False}, True),
        (("app",), {"present_match": True}, False),
        (("app", "none"), {"null_match": ValueMatcherNullMatch()}, True),
        (("app", "nowhere"), {"null_match": ValueMatcherNullMatch()}, False),
        (("app", "zones"), {"list_match": ListMatcher(ValueMatcher(string_match=StringMatcher(exact="eu-2")))}, True),
        (("app", "zones"), {"list_match": ListMatcher(ValueMatcher(string_match=StringMatcher(exact="eu-3")))}, False),
        (("app", "on"), {"or_match": OrMatcher([ValueMatcher(bool_match=x) for x in (False, True)])}, True),
    ],
)
def test_metadata_is_matched_by_a_path_and_a_value(
    keys: tuple[str, ...], fields: dict[str, object], fits: bool
) -> None:
    assert matching(by_metadata(*keys, **fields))(EDGE) is fits


def test_one_of_the_matchers_is_enough_but_all_of_its_parts_are_needed() -> None:
    tier = by_metadata("app", "tier", string_match=StringMatcher(exact="Edge"))[0].node_metadatas
    both = NodeMatcher(node_id=StringMatcher(exact="edge-1"), node_metadatas=tier)
    fits = matching([NodeMatcher(node_id=StringMatcher(exact="other")), both])
    assert fits(EDGE)
    assert fits(Node("other"))
    assert not fits(Node("edge-1"))


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        ([NodeMatcher()], r"node_matchers\[0\] has neither"),
        (by_id(), r"node_matchers\[0\]\.node_id needs one of"),
        (by_id(prefix=""), "not empty"),
        (by_id(custom=TypedExtensionConfig(name="x")), "custom is an extension"),
        (by_id(safe_regex=regex("(")), r"node_id\.safe_regex is not a regular expression of RE2: missing"),
        (by_id(safe_regex=regex("")), "is empty"),
        (by_metadata(present_match=True), r"node_metadatas\[0\]\.path needs a key"),
        (by_metadata("", present_match=True), "needs a key"),
        (by_metadata("a"), r"node_metadatas\[0\]\.value says nothing"),
        ([NodeMatcher(node_metadatas=[StructMatcher(path=[StructMatcherPathSegment(key="a")])])], "value is missing"),
        (by_metadata("a", double_match=DoubleMatcher()), "double_match has neither exact nor range"),
        (by_metadata("a", list_match=ListMatcher()), r"list_match\.one_of is missing"),
        (by_metadata("a", or_match=OrMatcher([ValueMatcher()])), r"or_match\.value_matchers\[0\] says nothing"),
    ],
)
def test_a_matcher_that_makes_no_sense_is_refused_with_its_place(matchers: list[NodeMatcher], words: str) -> None:
    with pytest.raises(PeerError, match=words):
        matching(matchers)
