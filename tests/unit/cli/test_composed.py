"""A compose file as `plan` reads it: what its containers would say, before any runs."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.harness.repo import ROOT
from xds.cli.composed import as_labels
from xds.cli.documents import BadDocument, Document, read_files

FILE = """
services:
  cart:
    expose: ["8080"]
    labels: {fairlead.service: cart, com.example: x}
  database: {image: db}
---
kind: service
name: web
"""


def read(file: Path) -> list[Document]:
    return as_labels(read_files([str(file)], [], compose=True))


def test_services_with_labels_become_documents_of_labels_and_others_nothing(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(FILE)
    cart, web = read(file)
    labels = {"fairlead.service": "cart", "fairlead.port": "8080"}
    assert cart.value == {"kind": "labels", "address": "192.0.2.1", "labels": labels}
    assert cart.place("/labels/fairlead.service") == f"{file}:5"
    assert web.value == {"kind": "service", "name": "web"}


def test_the_shipped_file_is_read_with_its_merge_keys() -> None:
    found = read(ROOT / "docker-compose.envoy.yml")
    said = {each.value["address"]: cast("dict[str, str]", each.value["labels"]) for each in found}
    assert [labels["fairlead.version"] for labels in said.values()] == ["v1", "v2"]
    assert list(said) == ["192.0.2.1", "192.0.2.2"]


def test_where_only_documents_are_read_a_compose_file_is_named_as_one(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(FILE)
    with pytest.raises(BadDocument, match=r"compose\.yaml: a compose file; `fairlead lint` and `fairlead plan` read"):
        read_files([str(file)], [])
