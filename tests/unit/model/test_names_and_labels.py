"""What an id may look like, and the limits that keep labels usable."""

from __future__ import annotations

import pytest

from xds.model.labels import MAX_KEY, MAX_LABELS, MAX_TOTAL, MAX_VALUE, check_labels, escape
from xds.model.names import Key, ServiceKey, check_id
from xds.model.problems import Conflict, InvalidInput


@pytest.mark.parametrize("text", ["a", "0", "web", "web-10-0-0-7-8080", "2.4.1", "a_b.c-d", "a" * 128])
def test_an_id_fits_a_path_a_file_and_an_envoy_resource(text: str) -> None:
    assert check_id(text, pointer="/id") == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a" * 129, "129 characters"),
        ("Web", "'W' at position 1"),
        ("-web", "'-' at position 1"),
        (".web", "'.' at position 1"),
        ("we b", "' ' at position 3"),
        ("web/api", "'/' at position 4"),
        ("web\n", r"'\\n' at position 4"),
        ("wéb", "'é' at position 2"),
        ("٣", "'٣' at position 1"),
    ],
)
def test_anything_else_is_refused_and_the_first_bad_character_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        check_id(text, pointer="/id")
    assert caught.value.pointer == "/id"


def test_a_key_without_an_environment_lies_in_the_default_one() -> None:
    assert Key.parse("web") == Key("default", "web")
    assert Key.parse("prod/web") == Key("prod", "web")
    assert str(ServiceKey.of("web", "prod")) == "prod/web"


def test_parsing_a_service_key_gives_a_service_key() -> None:
    assert type(ServiceKey.parse("prod/web")) is ServiceKey


@pytest.mark.parametrize("text", ["", "/web", "prod/", "a/b/c", "Prod/web"])
def test_a_key_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Key.parse(text)


def test_each_part_of_a_service_key_has_its_own_pointer() -> None:
    with pytest.raises(InvalidInput) as caught:
        ServiceKey.of("Web")
    assert caught.value.pointer == "/service"
    with pytest.raises(InvalidInput) as caught:
        ServiceKey.of("web", "Prod")
    assert caught.value.pointer == "/env"


@pytest.mark.parametrize("key", ["a", "app", "com.example/part", "App", "a_b-c", "a" * MAX_KEY])
def test_label_keys_follow_docker(key: str) -> None:
    assert check_labels({key: "x"}) == {key: "x"}


@pytest.mark.parametrize("key", ["", "-a", "a-", "a b", "ä", "a\n", "a" * (MAX_KEY + 1)])
def test_other_label_keys_are_refused_with_a_pointer_to_the_key(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_labels({"fine": "x", key: "x"})
    assert caught.value.pointer == f"/labels/{escape(key[:64])}"


def test_a_pointer_escapes_what_a_pointer_must() -> None:
    """RFC 6901 section 3: "~" is "~0" and "/" is "~1"."""
    assert escape("a/b~c") == "a~1b~0c"


@pytest.mark.parametrize("value", ["", "any text, even ünïcode 東京", "=,()!", "a" * MAX_VALUE])
def test_label_values_are_any_text(value: str) -> None:
    assert check_labels({"key": value}) == {"key": value}


@pytest.mark.parametrize("value", ["a\nb", "\x00", "\x7f", "a" * (MAX_VALUE + 1), "half \ud800 character"])
def test_label_values_that_nobody_could_log_or_store_are_refused(value: str) -> None:
    with pytest.raises(InvalidInput):
        check_labels({"key": value})


def test_the_number_of_labels_is_bounded() -> None:
    check_labels({f"k{at}": "" for at in range(MAX_LABELS)})
    with pytest.raises(InvalidInput, match="257 labels"):
        check_labels({f"k{at}": "" for at in range(MAX_LABELS + 1)})


def test_a_megabyte_of_labels_is_refused() -> None:
    with pytest.raises(InvalidInput, match=f"at most {MAX_TOTAL}") as caught:
        check_labels({f"k{at}": "x" * MAX_VALUE for at in range(MAX_LABELS)})
    assert caught.value.pointer == "/labels"


def test_an_error_seen_from_a_larger_document_keeps_its_class_code_and_words() -> None:
    moved = Conflict("taken", pointer="/port", code="in_use").under("/items/3")
    assert isinstance(moved, Conflict)
    assert (moved.pointer, moved.code, moved.message) == ("/items/3/port", "in_use", "taken")
