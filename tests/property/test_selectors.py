"""Laws of selectors: one spelling, a comma means and, and the index answers as a scan would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xds.model.index import LabelIndex
from xds.model.problems import InvalidInput
from xds.model.selector import Operator, Requirement, Selector

KEYS = st.sampled_from(["app", "version", "zone", "env", "in", "notin", "a.b/c"])
VALUES = st.sampled_from(["web", "db", "v1", "v2", "in", "notin", "x:1@y+z"])
REQUIREMENTS = st.one_of(
    st.builds(
        Requirement,
        KEYS,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.sets(VALUES, min_size=1).map(lambda values: tuple(sorted(values))),
    ),
    st.builds(Requirement, KEYS, st.sampled_from([Operator.EXISTS, Operator.ABSENT])),
)
SELECTORS = st.lists(REQUIREMENTS, max_size=5).map(lambda found: Selector(tuple(found)))
LABELS = st.dictionaries(KEYS, VALUES | st.just(""))
REGISTRIES = st.dictionaries(st.sampled_from([f"i{at}" for at in range(8)]), LABELS)


class Labels(dict[str, str]):
    """Labels as the index sees them."""

    def fact(self, key: str) -> str | None:
        """The value of a label."""
        return self.get(key)


@given(SELECTORS)
def test_what_is_spelled_is_what_is_read(selector: Selector) -> None:
    assert Selector.parse(str(selector)) == selector


@given(SELECTORS, SELECTORS, LABELS)
def test_a_comma_means_and(one: Selector, two: Selector, labels: dict[str, str]) -> None:
    both = Selector.parse(f"{one},{two}" if str(one) and str(two) else f"{one}{two}")
    assert both == one & two
    assert both.matches(labels) == (one.matches(labels) and two.matches(labels))


@given(SELECTORS, st.text(" \t\n", min_size=1, max_size=3))
def test_white_space_between_tokens_means_nothing(selector: Selector, space: str) -> None:
    spaced = str(selector)
    for token in (",", "(", ")", "!=", "="):
        spaced = spaced.replace(token, f"{space}{token}{space}")
    assert Selector.parse(spaced.replace(f"!{space}={space}", "!=")) == selector


@given(st.text(max_size=40) | st.text("ain(),!= v1$\n", max_size=40))
def test_any_text_is_a_selector_or_refused_with_a_caret_within_it(text: str) -> None:
    try:
        selector = Selector.parse(text)
    except InvalidInput as error:
        shown, caret = error.message.split("\n")
        assert len(shown) == len(text)
        assert caret.index("^") <= len(text)
    else:
        assert Selector.parse(str(selector)) == selector


@given(REGISTRIES, REGISTRIES, st.sets(st.sampled_from([f"i{at}" for at in range(8)])), SELECTORS)
def test_the_index_selects_whom_a_scan_would(
    first: dict[str, dict[str, str]], second: dict[str, dict[str, str]], gone: set[str], selector: Selector
) -> None:
    """After registrations, changes and removals in any mixture."""
    table: dict[str, Labels] = {}
    index = LabelIndex(table)
    for at, (member, after) in enumerate([*first.items(), *second.items(), *((one, None) for one in sorted(gone))]):
        if at == len(first):
            index.select(selector)  # from here on what it names is indexed, and has to keep step
        labels = None if after is None else Labels(after)
        index.replace(member, table.get(member), labels)
        if labels is None:
            table.pop(member, None)
        else:
            table[member] = labels
    there = {member: labels for member, labels in {**first, **second}.items() if member not in gone}
    scanned = {member for member, labels in there.items() if selector.matches(labels)}
    assert index.select(selector) == scanned
    assert index.select(selector, within=list(there)[::2]) == scanned & set(list(there)[::2])
    assert index.values("app") == sorted({labels["app"] for labels in there.values() if "app" in labels})
