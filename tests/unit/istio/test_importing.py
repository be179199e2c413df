"""Istio's files become documents that `apply` takes, and what did not map is named (row M71).

`UPDATE_GOLDEN=1 pytest tests/unit/istio` writes the examples anew: read what was written as if somebody else had.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.api.convert.documents import read_document
from xds.cli.documents import Document, read_text, to_yaml
from xds.istio.importing import Imported, import_istio
from xds.istio.names import percents
from xds.model.declare import Declaration, Put
from xds.model.draft import Draft
from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import FairleadError
from xds.translate import Builder

EXAMPLES = sorted((Path(__file__).parent / "examples").iterdir())


def imported(folder: Path) -> tuple[list[Document], Imported]:
    documents = read_text((folder / "istio.yaml").read_text(encoding="utf-8"), "istio.yaml")
    return documents, import_istio([document.value for document in documents])


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_becomes_these_documents_and_this_report(folder: Path) -> None:
    documents, found = imported(folder)
    made = {
        "fairlead.yaml": "---\n".join(map(to_yaml, found.documents)),
        "left.txt": "".join(
            f"{documents[each.document].place(each.pointer)}: {each.pointer or '/'}: {each.why}\n"
            for each in found.left
        ),
    }
    for name, text in made.items():
        if os.environ.get("UPDATE_GOLDEN"):
            (folder / name).write_text(text, encoding="utf-8")
        assert (folder / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_what_is_imported_can_be_applied_and_translated(folder: Path) -> None:
    """By the API's schemas, the registry's rules, and down to what Envoy is sent, with two versions of each service."""
    _, found = imported(folder)
    intent = Intent()
    names = sorted({str(document.get("service", document["name"])) for document in found.documents})
    for at, (name, version) in enumerate((name, version) for name in names for version in ("v1", "v2")):
        service = ServiceKey("default", name)
        instance = Instance(f"{name}-{version}", service, f"10.0.0.{at + 1}", {"http": 80}, version, region="eu",
                            labels={"app.kubernetes.io/tier": "web"})  # fmt: skip
        commit(intent, Put(instance))
    for document in found.documents:
        declared = read_document(document, "file:istio")
        assert not isinstance(declared, FairleadError), declared
        commit(intent, Put(declared))
    built = Builder().build({key: intent.view(key) for key in intent.services}, {}, frozenset())
    assert built.problems == ()


def commit(intent: Intent, put: Put) -> None:
    draft = Draft(intent)
    draft.declare(Declaration(put, actor="file:istio"))
    intent.commit(draft.writes, draft.revision)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=9).filter(any))
def test_weights_of_any_sum_become_percent_that_add_up(weights: list[int]) -> None:
    shares = percents(weights)
    assert round(sum(shares) * 100) == 10_000
    assert [share for share, weight in zip(shares, weights, strict=True) if not weight and share] == []


NAMES = [
    "http", "route", "match", "destination", "host", "subset", "weight", "uri", "prefix", "exact", "headers", "retries",
    "attempts", "subsets", "labels", "name", "trafficPolicy", "loadBalancer", "simple", "outlierDetection",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(["VirtualService", "DestinationRule"]), JSON)
def test_whatever_a_spec_holds_is_imported_or_reported(kind: str, spec: object) -> None:
    document = {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    found = import_istio([document])
    assert all(each.document == 0 for each in found.left)
