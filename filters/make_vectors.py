"""Writes ``filters/vectors/buckets.json``: what every implementation of the bucket is held to.

    python filters/make_vectors.py

Rust, Python, wasmtime and Envoy read the file; none of them writes it. The hashes come from ``xds.model.bucket``, which
its own tests hold to published XXH64 values. Run it when a vector is added; a changed value is a change of contract.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TypeAlias

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from envoy_data_plane.envoy.config.core.v3 import Metadata  # noqa: E402 - the path above comes first
from envoy_data_plane.google.protobuf import ListValue, NullValue, Struct, Value  # noqa: E402 - as above
from pydantic import JsonValue  # noqa: E402 - as above

from xds.model.bucket import bucket, hash64  # noqa: E402 - as above

Facts: TypeAlias = "dict[str, JsonValue]"

SALTS = ("", "checkout", "checkout2", "Straße-漢字-🙂", "s" * 100)
KEYS = (
    b"",
    b"u",
    b"user-1",
    b"user-2",
    b"user-99999",
    b"10.0.0.1",
    b"2001:db8::1",
    "zoë@例え.jp".encode(),
    b"\xff\xfe\x00\x80",
    b"0123456789abcdef0123456789abcde",  # one byte short of a stripe
    b"0123456789abcdef0123456789abcdef",
    b"x" * 1000,
    bytes(range(256)),
)
WITH_HEADER: Facts = {"service": "checkout", "env": "default", "salt": "s1", "key": {"header": "x-user"}}
WITH_COOKIE: Facts = {"salt": "s1", "key": {"cookie": "uid"}}
WITH_SOURCE: Facts = {"salt": "s1", "key": {"source": True}}
SPLIT: Facts = WITH_HEADER | {"split": [["checkout/1", 9500], ["checkout/2", 500]]}
LOCAL = "127.0.0.1:54321"


def value(json_value: JsonValue) -> Value:
    """A JSON value as ``google.protobuf.Value``."""
    match json_value:
        case None:
            return Value(null_value=NullValue.NULL_VALUE)
        case bool():
            return Value(bool_value=json_value)
        case int() | float():
            return Value(number_value=json_value)
        case str():
            return Value(string_value=json_value)
        case list():
            return Value(list_value=ListValue(values=[value(item) for item in json_value]))
    return Value(struct_value=Struct(fields={name: value(item) for name, item in json_value.items()}))


def metadata_bytes(namespaces: dict[str, Facts]) -> bytes:
    """``filter_metadata`` as the serialised ``envoy.config.core.v3.Metadata`` that the filter is given."""
    structs = {
        name: Struct(fields={field: value(item) for field, item in fields.items()})
        for name, fields in namespaces.items()
    }
    return bytes(Metadata(filter_metadata=structs))


def key_vector(salt: str, key: bytes) -> Facts:
    """One line of ``buckets``."""
    hash_ = hash64(salt, key)
    return {"salt": salt, "key_hex": key.hex(), "hash": f"{hash_:016x}", "bucket": bucket(salt, key)}


def request(  # noqa: PLR0913 - what may differ between two requests, by name
    name: str,
    placed: tuple[str, bytes] | None,
    headers: list[tuple[str, bytes]],
    *,
    facts: dict[str, Facts] | None = None,
    configuration: Facts | None = None,
    source: str | None = LOCAL,
) -> Facts:
    """One line of ``requests``; ``placed`` is the salt and key that must decide, None when nothing may be written."""
    listed: list[JsonValue] = [{"name": header, "value_hex": content.hex()} for header, content in headers]
    asked = configuration or {}
    return {
        "name": name,
        "configuration": json.dumps(asked, ensure_ascii=False) if asked else "",
        "header": asked.get("header", "x-fairlead-bucket"),
        "metadata": None if facts is None else dict(facts),
        "metadata_hex": None if facts is None else metadata_bytes(facts).hex(),
        "headers": listed,
        "source": source,
        "envoy": source == LOCAL,
        "expect": None if placed is None else str(bucket(*placed)),
    }


def keyed_by_header() -> list[Facts]:
    """A header key: odd contents, absence, and where the facts come from."""
    fairlead = {"fairlead": WITH_HEADER}
    user = [("x-user", b"user-1")]
    other: dict[str, Facts] = {"envoy.lb": {"canary": True}, "fairlead": SPLIT}
    return [
        request("header key", ("s1", b"user-1"), user, facts=fairlead),
        request("header key, other metadata and a split around it", ("s1", b"user-1"), user, facts=other),
        request("header key, utf-8", ("s1", "zoë".encode()), [("x-user", "zoë".encode())], facts=fairlead),
        request("header key, not utf-8", ("s1", b"\xff\xc3\x28"), [("x-user", b"\xff\xc3\x28")], facts=fairlead),
        request("header key, long", ("s1", b"k" * 5_000), [("x-user", b"k" * 5_000)], facts=fairlead),
        request(
            "header key in capitals",
            ("s1", b"u"),
            [("x-user", b"u")],
            facts={"fairlead": WITH_HEADER | {"key": {"header": "X-USER"}}},
        ),
        request("header missing", ("s1", b"127.0.0.1"), [], facts=fairlead),
        request("header empty", ("s1", b"127.0.0.1"), [("x-user", b"")], facts=fairlead),
        request("header missing, ipv6 source", ("s1", b"2001:db8::1"), [], facts=fairlead, source="[2001:db8::1]:80"),
        request("header missing, no source", None, [], facts=fairlead, source=None),
        request("a forged bucket is replaced", ("s1", b"user-1"), [*user, ("x-fairlead-bucket", b"1")], facts=fairlead),
    ]


def keyed_by_cookie() -> list[Facts]:
    """A cookie key."""
    fairlead = {"fairlead": WITH_COOKIE}
    cookies = {
        "cookie key": (b"uid=u1", b"u1"),
        "cookie among others": (b"a=1; uid=u1; b=2", b"u1"),
        "first of two cookies": (b"uid=u1; uid=u2", b"u1"),
        "cookie in quotes": (b'uid="u1"', b"u1"),
        "cookie with an equals sign": (b"uid=dTE=", b"dTE="),
        "cookie of a longer name": (b"xuid=u1; uidx=u2", b"127.0.0.1"),
        "cookie in another case": (b"UID=u1", b"127.0.0.1"),
        "cookie empty": (b"uid=", b"127.0.0.1"),
        "cookie header without pairs": (b";;=;uid", b"127.0.0.1"),
    }
    lines = [
        request(name, ("s1", key), [("cookie", header)], facts=fairlead) for name, (header, key) in cookies.items()
    ]
    return [*lines, request("cookie header missing", ("s1", b"127.0.0.1"), [], facts=fairlead)]


def keyed_by_defaults() -> list[Facts]:
    """The source address, and routes that leave key or salt to the plugin's configuration."""
    user = [("x-user", b"user-1")]
    defaults: Facts = {"version": 1, "default_key": {"header": "x-user"}, "default_salt": "d"}
    source_default: Facts = {"default_key": {"source": True}}
    other_header: Facts = {"header": "x-other-bucket", "default_key": {"cookie": "uid"}}
    salt_only: dict[str, Facts] = {"fairlead": {"salt": "s1"}}
    empty_salt: dict[str, Facts] = {"fairlead": {"salt": ""}}
    wrong: dict[str, Facts] = {"fairlead": {"salt": 5, "key": {"header": "x-user", "cookie": "uid"}, "split": "all"}}
    foreign: dict[str, Facts] = {"envoy.lb": {"canary": True}}
    return [
        request("source key", ("s1", b"127.0.0.1"), user, facts={"fairlead": WITH_SOURCE}),
        request(
            "source key, socket", ("s1", b"/run/a.sock"), [], facts={"fairlead": WITH_SOURCE}, source="/run/a.sock"
        ),
        request("no facts, no default key", None, user),
        request("metadata of others, no default key", None, user, facts=foreign),
        request("facts without a key", ("s1", b"127.0.0.1"), user, facts=salt_only),
        request("no facts, default key", ("d", b"user-1"), user, configuration=defaults),
        request("metadata of others, default key", ("d", b"user-1"), user, facts=foreign, configuration=defaults),
        request("facts without a key, default key", ("s1", b"user-1"), user, facts=salt_only, configuration=defaults),
        request("an empty salt is a salt", ("", b"user-1"), user, facts=empty_salt, configuration=defaults),
        request("wrong types leave it to the defaults", ("d", b"user-1"), user, facts=wrong, configuration=defaults),
        request("wrong types, no default", ("", b"127.0.0.1"), user, facts=wrong),
        request("default source key", ("", b"127.0.0.1"), user, configuration=source_default),
        request("another bucket header", ("", b"u1"), [("cookie", b"uid=u1")], configuration=other_header),
    ]


def main() -> None:
    """The command."""
    content = {
        "definition": "hash = XXH64, seed 0, of salt (UTF-8) || 0x00 || key; bucket = hash mod 10000",
        "buckets": [key_vector(salt, key) for salt in SALTS for key in KEYS],
        "requests": [*keyed_by_header(), *keyed_by_cookie(), *keyed_by_defaults()],
    }
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (HERE / "vectors" / "buckets.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
