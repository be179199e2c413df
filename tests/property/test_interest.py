"""Who is woken by a change: the index finds those, and only those, whom asking everybody would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xds.cache.interest import Interests
from xds.wire.names import KEY, read_names
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT
TYPES = st.sampled_from([CDS, EDS])
READERS = st.sampled_from("pqrs")
NAMES = st.none() | st.frozensets(st.sampled_from("abc"))
VARIANTS = st.sampled_from([("",), ("blue", ""), ("red",)])
WATCH = st.tuples(READERS, TYPES, NAMES, VARIANTS)
CHANGE = st.dictionaries(st.sampled_from(["", "blue", "red"]), st.sets(st.sampled_from("abc"), min_size=1))


@given(st.lists(WATCH | READERS, max_size=30), TYPES, CHANGE)
def test_the_index_names_whom_asking_everybody_would_name(
    steps: list[tuple[str, ResourceType, frozenset[str] | None, tuple[str, ...]] | str],
    type_: ResourceType,
    changed: dict[str, set[str]],
) -> None:
    index = Interests[str]()
    asked: dict[tuple[str, ResourceType], tuple[frozenset[str] | None, tuple[str, ...]]] = {}
    for step in steps:
        if isinstance(step, str):  # the reader leaves
            index.forget(step)
            asked = {key: value for key, value in asked.items() if key[0] != step}
        else:
            reader, of, names, variants = step
            assert index.watch(reader, of, names, variants) == names
            asked[reader, of] = names, variants
    expected = {
        reader
        for (reader, of), (names, variants) in asked.items()
        for variant, touched in changed.items()
        if of is type_ and variant in variants and (names is None or names & touched)
    }
    assert index.of(type_, changed) == expected
    for reader in "pqrs":
        index.forget(reader)
    assert not any(kept._sets or kept._by_name for kept in index._types.values()), "nothing is left of who left"


@given(st.lists(st.text(max_size=200), min_size=1, max_size=20))
def test_a_list_of_names_is_the_same_object_wherever_it_is_read(names: list[str]) -> None:
    data = b"".join(bytes([KEY]) + _length(name) + name.encode() for name in names)
    first, end = read_names(data, 0, 100)
    again, _ = read_names(b"\x12\x00" + data + b"\x2a\x00", 2, 100)
    assert (set(first), end) == (set(names), len(data))
    assert again is first


def _length(name: str) -> bytes:
    size = len(name.encode())
    return bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
