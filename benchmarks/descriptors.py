"""google.protobuf classes for betterproto2 messages, made from the same metadata at run time.

So the C runtime can be measured on the same bytes without another package of generated Envoy messages. Enums
become int32, which is the same on the wire; oneofs are left out, which only loses presence.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import betterproto2
from betterproto2 import FieldMetadata
from google.protobuf import (  # type: ignore[import-untyped]  # ships no stubs
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
)

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "fairlead_benchmark"


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__name__}".replace(".", "_")


class _File:
    """One file descriptor that grows by every message class reachable from the first."""

    def __init__(self) -> None:
        self.proto = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
        self.seen: set[type] = set()

    def add(self, cls: type[betterproto2.Message]) -> str:
        """Add `cls` and what it contains; return its full name in the file."""
        if cls not in self.seen:
            self.seen.add(cls)
            described = descriptor_pb2.DescriptorProto(name=_name(cls))
            untyped: Any = cls  # betterproto2 declares its property in a way that no class satisfies
            children = untyped._betterproto.cls_by_field
            for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # every message is a dataclass; its base is not
                meta = FieldMetadata.get(field)
                if meta.map_meta is None:
                    self._field(described, field.name, meta, children[field.name])
                    continue
                entry = described.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
                entry.options.map_entry = True
                for part, its, child in zip(
                    ("key", "value"), meta.map_meta, (str, children[f"{field.name}.value"]), strict=True
                ):
                    self._field(entry, part, its, child)
                described.field.add(
                    name=field.name,
                    number=meta.number,
                    type=_Field.TYPE_MESSAGE,
                    label=_Field.LABEL_REPEATED,
                    type_name=f".{_PACKAGE}.{_name(cls)}.{entry.name}",
                )
            self.proto.message_type.append(described)
        return f".{_PACKAGE}.{_name(cls)}"

    def _field(self, owner: descriptor_pb2.DescriptorProto, name: str, meta: FieldMetadata, child: type) -> None:
        kind = "int32" if meta.proto_type == "enum" else meta.proto_type
        field = owner.field.add(name=name, number=meta.number, type=_Field.Type.Value(f"TYPE_{kind.upper()}"))
        field.label = _Field.LABEL_REPEATED if meta.repeated else _Field.LABEL_OPTIONAL
        if kind == "message":
            field.type_name = self.add(meta.unwrap() if meta.unwrap else child)


def runtime_class(cls: type[betterproto2.Message]) -> type[message.Message]:
    """Return a google.protobuf class that reads and writes what `cls` does."""
    file = _File()
    name = file.add(cls)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file.proto)
    made: type[message.Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name.removeprefix(".")))
    return made
