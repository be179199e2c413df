"""Selectors: what each operator keeps, how a text is spelled canonically, and where the caret points."""

from __future__ import annotations

import pytest

from xds.model.problems import InvalidInput
from xds.model.selector import MAX_SELECTOR, Operator, Requirement, Selector

WEB = {"app": "web", "version": "v1", "zone": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "app=web",
        "app==web",
        "app = web",
        "app!=db",
        "missing!=db",
        "app in (web)",
        "app in (db,web)",
        "app in ( db , web )",
        "app notin (db,cache)",
        "missing notin (db)",
        "app",
        "zone",
        "!missing",
        "! missing",
        "app=web,version in (v1,v2),env!=dev,!canary,zone",
        "\tapp\n=\u2003web",
    ],
)
def test_it_matches(text: str) -> None:
    assert Selector.parse(text).matches(WEB)


@pytest.mark.parametrize(
    "text",
    [
        "app=db",
        "app!=web",
        "app in (db)",
        "app notin (web,db)",
        "missing",
        "!app",
        "!zone",
        "app=web,version=v2",
        "app=we",
    ],
)
def test_it_does_not_match(text: str) -> None:
    assert not Selector.parse(text).matches(WEB)


def test_in_and_notin_are_ordinary_keys_and_values_where_no_operator_can_stand() -> None:
    assert Selector.parse("in in (notin),notin=in").matches({"in": "notin", "notin": "in"})


def test_keys_and_values_may_hold_what_docker_and_images_hold() -> None:
    text = "com.example/part=registry:5000/web@sha256+dirty_1-2"
    assert Selector.parse(text).matches({"com.example/part": "registry:5000/web@sha256+dirty_1-2"})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("app == web", "app=web"),
        ("app in (web)", "app=web"),
        ("app in (web, db,web)", "app in (db,web)"),
        ("app notin ( b )", "app!=b"),
        (" ! canary , zone ", "!canary,zone"),
        ("", ""),
    ],
)
def test_there_is_one_canonical_spelling(text: str, canonical: str) -> None:
    assert str(Selector.parse(text)) == canonical


def test_and_holds_where_both_do() -> None:
    both = Selector.parse("app=web") & Selector.parse("!canary")
    assert both.requirements == (Requirement("app", Operator.IN, ("web",)), Requirement("canary", Operator.ABSENT))


@pytest.mark.parametrize(
    ("text", "under", "words"),
    [
        ("=web", "=web", "a label key"),
        ("app=", "", "a value"),
        ("app=,x", ",x", "a value"),
        ("app=web,", "", "a label key"),
        ("app=web,,x", ",x", "a label key"),
        ("app web", "web", "expected ',' or the end"),
        ("app=web)", ")", "expected ',' or the end"),
        ("app in web", "web", "expected '('"),
        ("app in", "", "expected '('"),
        ("app in ()", ")", "a value"),
        ("app in (a b)", "b)", "expected ',' or ')'"),
        ("app in (a", "", "expected ',' or ')'"),
        ("!", "", "a label key"),
        ("!=a", "!=a", "a label key"),
        ("a=!b", "!b", "a value"),
        ("app=we$b", "$b", "this character cannot stand in a selector"),
        ("app=web   ,   ;", ";", "this character cannot stand in a selector"),
        ("a,\u3000東京", "東京", "this character cannot stand in a selector"),
        ("  app\tin\t(ü)", "ü)", "this character cannot stand in a selector"),
    ],
)
def test_the_caret_stands_under_the_character_where_reading_stopped(text: str, under: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Selector.parse(text, pointer="/selector")
    shown, caret = caught.value.message.split("\n")
    at = caret.index("^")
    assert shown[at:] == under.replace("\t", " ")
    assert words in caret
    assert (caught.value.pointer, caught.value.code) == ("/selector", "selector_syntax")


def test_a_line_break_in_a_selector_does_not_move_the_caret() -> None:
    with pytest.raises(InvalidInput) as caught:
        Selector.parse("app=web,\nzone=$")
    assert caught.value.message.startswith("app=web, zone=$\n              ^ ")


def test_a_selector_that_is_too_long_is_refused_before_it_is_read() -> None:
    Selector.parse("a" * MAX_SELECTOR)
    with pytest.raises(InvalidInput, match=f"has {MAX_SELECTOR + 1} characters"):
        Selector.parse("$" * (MAX_SELECTOR + 1))
