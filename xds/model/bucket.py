"""The bucket of a key: which of 10,000 parts of a split a user falls into.

The module knows one hash, XXH64 with seed 0 over ``salt || 0x00 || key``, and nothing of requests or routes. The
filter computes the same (``filters/health/src/hash.rs``); ``filters/vectors/buckets.json`` holds both to it. A salt
is text without NUL, so that the zero byte keeps ``("ab", b"c")`` and ``("a", b"bc")`` apart.
"""

from __future__ import annotations

import struct

BUCKETS = 10_000
"""Parts of a split; one is a hundredth of a percent."""

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_P1 = 0x9E37_79B1_85EB_CA87
_P2 = 0xC2B2_AE3D_27D4_EB4F
_P3 = 0x1656_67B1_9E37_79F9
_P4 = 0x85EB_CA77_C2B2_AE63
_P5 = 0x27D4_EB2F_1656_67C5


def hash64(salt: str, key: bytes) -> int:
    """XXH64 of ``salt || 0x00 || key``, 0 to 2**64 - 1. Raises ValueError for a salt that contains NUL."""
    if "\0" in salt:
        raise ValueError("a salt contains no zero byte")
    return xxh64(salt.encode() + b"\0" + key)


def bucket(salt: str, key: bytes) -> int:
    """The bucket of ``key`` under ``salt``, 0 to 9999. Raises ValueError for a salt that contains NUL."""
    return hash64(salt, key) % BUCKETS


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0 (Yann Collet's specification, section "XXH64 Algorithm Description")."""
    size = len(data)
    whole = size - size % 32
    value = _stripes(data[:whole]) if whole else _P5
    value = (value + size) & _MASK
    words = whole + (size - whole) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", data[whole:words]):
        value ^= _round(0, word)
        value = (_rotate(value, 27) * _P1 + _P4) & _MASK
    rest = words
    if size - words >= 4:
        rest += 4
        value ^= int.from_bytes(data[words:rest], "little") * _P1 & _MASK
        value = (_rotate(value, 23) * _P2 + _P3) & _MASK
    for byte in data[rest:]:
        value ^= byte * _P5 & _MASK
        value = _rotate(value, 11) * _P1 & _MASK
    value ^= value >> 33
    value = value * _P2 & _MASK
    value ^= value >> 29
    value = value * _P3 & _MASK
    return value ^ value >> 32


def _stripes(data: bytes) -> int:
    a, b, c, d = (_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK
    for one, two, three, four in struct.iter_unpack("<4Q", data):
        a, b, c, d = _round(a, one), _round(b, two), _round(c, three), _round(d, four)
    value = (_rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)) & _MASK
    for lane in (a, b, c, d):
        value = ((value ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return value


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK
