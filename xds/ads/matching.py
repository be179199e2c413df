"""Which nodes a client status request means: Envoy's node matchers as predicates over nodes.

After envoy/type/matcher/v3 (node.proto, struct.proto, value.proto, string.proto, number.proto). What is wrong in them
is the caller's: every mistake is found before the first node is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import re2
from envoy_data_plane.envoy.type.matcher.v3 import (
    DoubleMatcher,
    NodeMatcher,
    StringMatcher,
    StructMatcher,
    ValueMatcher,
)

from xds.cache.typestate import Node
from xds.model.problems import PeerError

Text = Callable[[str], bool]
Value = Callable[[object], bool]

_NOWHERE: Final = object()
"""What a path leads to when it leads to nothing; null is something."""


def matching(matchers: Sequence[NodeMatcher]) -> Callable[[Node], bool]:
    """Return whether a node fits any of `matchers`, as a function; without matchers every node fits.

    Raises PeerError, with the place, for a matcher that says nothing or something unknown.
    """
    if not matchers:
        return lambda _: True
    tests = [_node(matcher, f"node_matchers[{index}]") for index, matcher in enumerate(matchers)]
    return lambda node: any(test(node) for test in tests)


def _node(matcher: NodeMatcher, at: str) -> Callable[[Node], bool]:
    id_fits = None if matcher.node_id is None else _text(matcher.node_id, f"{at}.node_id")
    metadata_fits = [
        _struct(each, f"{at}.node_metadatas[{index}]") for index, each in enumerate(matcher.node_metadatas)
    ]
    if id_fits is None and not metadata_fits:
        raise PeerError(f"{at} has neither node_id nor node_metadatas; leave it out to mean every node")

    def fits(node: Node) -> bool:
        return (id_fits is None or id_fits(node.id)) and all(each(node.metadata) for each in metadata_fits)

    return fits


def _struct(matcher: StructMatcher, at: str) -> Value:
    keys = [segment.key for segment in matcher.path]
    if not keys or not all(keys):
        raise PeerError(f"{at}.path needs a key in each of its segments, and one segment at least")
    if matcher.value is None:
        raise PeerError(f"{at}.value is missing")
    value_fits = _value(matcher.value, f"{at}.value")

    def fits(found: object) -> bool:
        for key in keys:
            found = found.get(key, _NOWHERE) if isinstance(found, Mapping) else _NOWHERE
        return value_fits(found)

    return fits


def _value(matcher: ValueMatcher, at: str) -> Value:
    if matcher.null_match is not None:
        return lambda found: found is None
    if matcher.double_match is not None:
        return _number(matcher.double_match, f"{at}.double_match")
    if matcher.string_match is not None:
        text_fits = _text(matcher.string_match, f"{at}.string_match")
        return lambda found: isinstance(found, str) and text_fits(found)
    if (flag := matcher.bool_match) is not None:
        return lambda found: found is flag
    if (present := matcher.present_match) is not None:
        return lambda found: not isinstance(found, Mapping | list) and (found is not _NOWHERE) is present
    if matcher.list_match is not None:
        if matcher.list_match.one_of is None:
            raise PeerError(f"{at}.list_match.one_of is missing")
        item_fits = _value(matcher.list_match.one_of, f"{at}.list_match.one_of")
        return lambda found: isinstance(found, list) and any(map(item_fits, found))
    if matcher.or_match is not None:
        each = [
            _value(one, f"{at}.or_match.value_matchers[{index}]")
            for index, one in enumerate(matcher.or_match.value_matchers)
        ]
        return lambda found: any(fits(found) for fits in each)
    raise PeerError(f"{at} says nothing to match")


def _number(matcher: DoubleMatcher, at: str) -> Value:
    if (exact := matcher.exact) is not None:
        return lambda found: _is_number(found) and found == exact
    if (limits := matcher.range) is not None:
        start, end = limits.start, limits.end
        return lambda found: isinstance(found, int | float) and _is_number(found) and start <= found < end
    raise PeerError(f"{at} has neither exact nor range")


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _text(matcher: StringMatcher, at: str) -> Text:
    """Return the test of a string; case is not ignored in regular expressions, which have a flag of their own."""
    if matcher.safe_regex is not None:
        return _regex(matcher.safe_regex.regex, f"{at}.safe_regex")
    if matcher.custom is not None:
        raise PeerError(f"{at}.custom is an extension; here are exact, prefix, suffix, contains and safe_regex")
    fold: Callable[[str], str] = str.lower if matcher.ignore_case else str
    if (exact := matcher.exact) is not None:
        whole = fold(exact)
        return lambda text: fold(text) == whole
    if prefix := matcher.prefix:
        start = fold(prefix)
        return lambda text: fold(text).startswith(start)
    if suffix := matcher.suffix:
        end = fold(suffix)
        return lambda text: fold(text).endswith(end)
    if contains := matcher.contains:
        part = fold(contains)
        return lambda text: part in fold(text)
    raise PeerError(f"{at} needs one of exact, prefix, suffix, contains and safe_regex, not empty")


def _regex(pattern: str, at: str) -> Text:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else error
        said = words.decode(errors="replace") if isinstance(words, bytes) else words
        raise PeerError(f"{at} is not a regular expression of RE2: {said}") from None
    if not pattern:
        raise PeerError(f"{at}.regex is empty")
    return lambda text: compiled.fullmatch(text) is not None
