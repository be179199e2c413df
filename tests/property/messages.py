"""Hypothesis strategies for any generated message class, made from betterproto2's own field metadata.

Values are sparse (few fields, few levels): the classes are wide, and every field gets its turn over the examples.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import warnings
from typing import Any

import betterproto2
from betterproto2 import FieldMetadata
from hypothesis import strategies as st

_EMITTED_AND_READ = {
    "envoy.config.cluster.v3": ["Cluster"],
    "envoy.config.endpoint.v3": ["ClusterLoadAssignment", "LbEndpoint"],
    "envoy.config.listener.v3": ["Listener"],
    "envoy.config.route.v3": ["RouteConfiguration", "VirtualHost"],
    "envoy.config.core.v3": ["TypedExtensionConfig", "Node"],
    "envoy.config.bootstrap.v3": ["Bootstrap"],
    "envoy.extensions.filters.network.http_connection_manager.v3": ["HttpConnectionManager"],
    "envoy.extensions.filters.network.tcp_proxy.v3": ["TcpProxy"],
    "envoy.extensions.filters.http.router.v3": ["Router"],
    "envoy.extensions.filters.http.header_mutation.v3": ["HeaderMutation"],
    "envoy.extensions.filters.http.wasm.v3": ["Wasm"],
    "envoy.extensions.http.early_header_mutation.header_mutation.v3": ["HeaderMutation"],
    "envoy.extensions.access_loggers.file.v3": ["FileAccessLog"],
    "envoy.extensions.access_loggers.stream.v3": ["StdoutAccessLog"],
    "envoy.extensions.upstreams.http.v3": ["HttpProtocolOptions"],
    "envoy.service.discovery.v3": [
        "DiscoveryRequest",
        "DiscoveryResponse",
        "DeltaDiscoveryRequest",
        "DeltaDiscoveryResponse",
        "Resource",
    ],
    "google.rpc": ["Status"],
    "google.protobuf": ["Struct", "Any"],
}

CLASSES: list[type[betterproto2.Message]] = [
    getattr(importlib.import_module(f"envoy_data_plane.{package}"), name)
    for package, names in _EMITTED_AND_READ.items()
    for name in names
]
"""Every message class that Fairlead emits or reads; what they contain is reached through them."""

UNKNOWN = b"\xf8\x3f\x05" + b"\xfa\x3f\x02hi"
"""Two fields numbered 1023, which no message here has: a varint and a string."""

_SIGNED = {"int32": 31, "sint32": 31, "sfixed32": 31, "int64": 63, "sint64": 63, "sfixed64": 63}
_UNSIGNED = {"uint32": 32, "fixed32": 32, "uint64": 64, "fixed64": 64}
_CENTURY = datetime.timedelta(days=36525)


def metadata_of(cls: type[betterproto2.Message]) -> betterproto2.ProtoClassMetadata:
    """Return what betterproto2 knows of a class; its property is declared in a way that no class satisfies."""
    untyped: Any = cls
    metadata: betterproto2.ProtoClassMetadata = untyped._betterproto
    return metadata


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from([low, high, 0, 1, 127, 128, 2047, 2048]), st.integers(low, high))


_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    **{kind: _integers(-(1 << bits), (1 << bits) - 1) for kind, bits in _SIGNED.items()},
    **{kind: _integers(0, (1 << bits) - 1) for kind, bits in _UNSIGNED.items()},
    "bool": st.booleans(),
    "double": st.floats(allow_nan=False),
    "float": st.floats(width=32, allow_nan=False),
    "string": st.one_of(st.text(max_size=6), st.sampled_from(["", "x" * 127, "ä" * 64, "x" * 3000])),
    "bytes": st.binary(max_size=6),
}
_INSTANTS: dict[str, st.SearchStrategy[Any]] = {
    "Duration": st.timedeltas(datetime.timedelta(0), _CENTURY),
    "Timestamp": st.datetimes(timezones=st.just(datetime.UTC)),
}


def _single(meta: FieldMetadata, cls: Any, depth: int) -> st.SearchStrategy[Any]:
    if meta.unwrap is not None:
        wrapped = meta.unwrap()
        if wrapped.__name__ in _INSTANTS:
            return _INSTANTS[wrapped.__name__]
        return _PLAIN[FieldMetadata.get(dataclasses.fields(wrapped)[0]).proto_type]
    if meta.proto_type == "message":
        return messages(cls, depth - 1)
    if meta.proto_type == "enum":
        return st.sampled_from(list(cls))
    return _PLAIN[meta.proto_type]


def _field(owner: type[betterproto2.Message], name: str, depth: int) -> st.SearchStrategy[Any]:
    meta, classes = metadata_of(owner).meta_by_field_name[name], metadata_of(owner).cls_by_field
    if meta.map_meta is not None:
        key = _single(meta.map_meta[0], str, depth)
        return st.dictionaries(key, _single(meta.map_meta[1], classes[f"{name}.value"], depth), max_size=3)
    value = _single(meta, classes[name], depth)
    return st.lists(value, max_size=3) if meta.repeated else value


def _is_message(meta: FieldMetadata) -> bool:
    last = meta.map_meta[1] if meta.map_meta else meta
    return last.proto_type == "message" and last.unwrap is None


@st.composite
def messages(draw: st.DrawFn, cls: type[betterproto2.Message], depth: int = 4) -> betterproto2.Message:
    """Draw a message of class `cls` with at most `depth` levels, four fields in each, sometimes unknown ones."""
    metas = metadata_of(cls).meta_by_field_name
    names = [name for name, meta in metas.items() if depth > 0 or not _is_message(meta)]
    values: dict[str, Any] = {}
    groups = set()
    for name in draw(st.lists(st.sampled_from(names), max_size=4, unique=True)) if names else []:
        if metas[name].group not in groups:
            values[name] = draw(_field(cls, name, depth))
            groups.add(metas[name].group or name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # deprecated fields are fields
        message = cls(**values)
    message._unknown_fields = draw(st.sampled_from([b"", b"", UNKNOWN]))
    return message
