"""The bucket in Python, held to published values, to the vectors and to what a split needs of a hash."""

from __future__ import annotations

import json
from typing import Any  # the vectors are JSON; use asserts their shape

import pytest

from tests.harness.repo import ROOT
from xds.model.bucket import BUCKETS, bucket, hash64, xxh64

VECTORS = json.loads((ROOT / "filters/vectors/buckets.json").read_text())["buckets"]


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0xEF46DB3751D8E999), (b"a", 0xD24EC4F1A98C6E5B), (b"abc", 0x44BC2CF5AD770999)],
)
def test_published_xxh64_values_come_out(data: bytes, value: int) -> None:
    assert xxh64(data) == value


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_a_key_falls_into_the_bucket_that_the_vector_says(vector: dict[str, Any]) -> None:
    key = bytes.fromhex(vector["key_hex"])
    assert f"{hash64(vector['salt'], key):016x}" == vector["hash"]
    assert bucket(vector["salt"], key) == vector["bucket"]


def test_salt_and_key_do_not_run_into_each_other() -> None:
    assert hash64("ab", b"c") != hash64("a", b"bc")
    with pytest.raises(ValueError, match="zero byte"):
        hash64("a\0b", b"c")


@pytest.mark.parametrize("salt", ["", "checkout", "checkout2"])
def test_sequential_users_fill_a_hundred_parts_evenly(salt: str) -> None:
    """Chi-square with 99 degrees of freedom; 5 sigma on both sides, so neither clumped nor suspiciously even."""
    counts = [0] * 100
    for number in range(30_000):
        counts[bucket(salt, f"user-{number}".encode()) * 100 // BUCKETS] += 1
    chi = sum((count - 300) ** 2 / 300 for count in counts)
    assert abs(chi - 99) < 5 * (2 * 99) ** 0.5


def test_another_salt_places_the_same_users_independently() -> None:
    cells = [0] * 100
    for number in range(30_000):
        key = f"user-{number}".encode()
        cells[bucket("a", key) // 1000 * 10 + bucket("b", key) // 1000] += 1
    chi = sum((count - 300) ** 2 / 300 for count in cells)
    assert abs(chi - 99) < 5 * (2 * 99) ** 0.5
