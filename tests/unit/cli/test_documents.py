"""Files given to `apply`: YAML 1.2, with the line of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.cli.documents import MAX_BYTES, BadDocument, read_files, read_text, to_yaml

WEB = """\
kind: service
name: web
split:
  - subset: v1
    weight: 95
  - subset: v2
    weight: 5
---
# only words
---
kind: route
name: web.api
"""


def complaint(text: str) -> str:
    with pytest.raises(BadDocument) as caught:
        read_text(text, "web.yaml")
    return str(caught.value)


def test_a_file_holds_several_documents_and_empty_ones_do_not_count() -> None:
    documents = read_text(WEB, "web.yaml")
    assert [document.value["kind"] for document in documents] == ["service", "route"]


def test_every_field_knows_its_line() -> None:
    service, route = read_text(WEB, "web.yaml")
    assert service.place("/split/1/weight") == "web.yaml:7"
    assert route.place("/name") == "web.yaml:12"
    assert route.place("") == "web.yaml:11"


def test_a_field_that_was_not_written_is_where_it_would_stand() -> None:
    service, _ = read_text(WEB, "web.yaml")
    assert service.place("/split/0/percent") == "web.yaml:4"
    assert service.place("/timeout") == "web.yaml:1"


def test_words_and_numbers_mean_what_they_look_like() -> None:
    """YAML 1.1 read `no` as false, `010` as 8 and `1:30` as 90; fault C1."""
    (document,) = read_text("{a: no, b: 010, c: 1:30, d: 2020-01-01, e: 0x1f, f: 1_000, g: 2.5, h: ~, i: true}", "f")
    assert document.value == {
        "a": "no", "b": 10, "c": "1:30", "d": "2020-01-01", "e": 31, "f": 1000, "g": 2.5, "h": None, "i": True,
    }  # fmt: skip


def test_c1_a_key_given_twice_is_refused_with_both_lines() -> None:
    assert complaint("kind: service\nname: web\nname: api\n") == "web.yaml:3: 'name' is given twice, first on line 2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "kind: service\nname: !!python/object:os.system ls",
            "web.yaml:2: the tag python/object:os.system is not read",
        ),
        ("a: !secret x", "web.yaml:1: the tag !secret is not read"),
        ("a: 1\n<<: {b: 2}", "web.yaml:2: merge keys are not read"),
        ("[a]: 1", "web.yaml:1: a key is not text"),
        ("a: .nan", "is not a number to configure anything with"),
        ("a: -.inf", "is not a number to configure anything with"),
        ("a: " + "9" * 1000, "web.yaml:1: a number of 1000 digits"),
        ("- a\n- b", "web.yaml:1: a document is a mapping"),
        ("a: [1, 2", "web.yaml:1: "),
        ("a: b: c", "web.yaml:1: mapping values are not allowed"),
        ("a: *nobody", "web.yaml:1: found undefined alias"),
        ("a: " + "[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested deeper than 32 levels"),
    ],
)
def test_c1_what_could_surprise_is_refused_with_its_line(text: str, words: str) -> None:
    assert words in complaint(text)


def test_c1_a_small_file_cannot_become_a_large_one() -> None:
    """Fault C1: the alias bomb. Ten aliases of ten aliases, nine times over, would be a thousand million values."""
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases counted each time" in complaint("\n".join(levels))


def test_c1_an_alias_of_itself_ends() -> None:
    assert "nested deeper" in complaint("a: &a [*a]")


def test_standard_input_is_a_file_like_others() -> None:
    (document,) = read_files(["-"], iter([b"kind: ser", b"vice\n"]))
    assert document.place("") == "standard input:1"


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json", "notes.txt"):
        (tmp_path / name).write_text(f'{{"kind": "service", "name": "{name}"}}', encoding="utf-8")
    assert [d.value["name"] for d in read_files([str(tmp_path)], [])] == ["a.yaml", "b.yml", "c.json"]


def test_a_file_that_is_missing_too_large_or_no_text_is_named(tmp_path: Path) -> None:
    large, binary = tmp_path / "large.yaml", tmp_path / "binary.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\xff")
    for path, words in ((tmp_path / "none.yaml", "No such file"), (large, "larger than 8 MiB"), (binary, "not UTF-8")):
        with pytest.raises(BadDocument, match=words) as caught:
            read_files([str(path)], [])
        assert str(path) in str(caught.value)


def test_what_is_printed_can_be_read_again() -> None:
    value: dict[str, object] = {"z": 1, "a": {"list": [{"x": "no"}, {}], "text": "1:30"}}
    assert list(value) == ["z", "a"]
    (document,) = read_text(to_yaml(value), "printed")
    assert document.value == value
    assert list(document.value) == ["z", "a"]
