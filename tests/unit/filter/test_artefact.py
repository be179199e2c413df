"""The committed filter belongs to the committed sources and says nothing about the machine that built it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import wasmtime
from envoy_data_plane.envoy.config.core.v3 import Metadata

from tests.harness.repo import ROOT

ARTEFACT = ROOT / "filters/health.wasm"


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"filters_{name}", ROOT / "filters" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return program("build")


def test_the_artefact_was_built_from_the_sources_beside_it(build: ModuleType) -> None:
    build.check()


def test_its_digest_lies_beside_it() -> None:
    named = (ROOT / "filters/health.wasm.sha256").read_text().split()
    assert named == [hashlib.sha256(ARTEFACT.read_bytes()).hexdigest(), "health.wasm"]


def test_a_change_of_any_source_changes_the_digest(build: ModuleType, tmp_path: Path) -> None:
    crate = tmp_path / "health"
    shutil.copytree(ROOT / "filters/health", crate, ignore=shutil.ignore_patterns("target"))
    before = build.sources_digest(crate)
    assert before == build.sources_digest()
    (crate / "src" / "hash.rs").rename(crate / "src" / "hasch.rs")
    renamed = build.sources_digest(crate)
    (crate / "src" / "hasch.rs").write_text("changed")
    assert len({before, renamed, build.sources_digest(crate)}) == 3


def test_a_section_that_is_added_is_read_and_leaves_the_module_valid(build: ModuleType) -> None:
    module = bytes(wasmtime.wat2wasm("(module)"))
    added = module + build.custom_section("one", b"x" * 300) + build.custom_section("two", b"y")
    wasmtime.Module(wasmtime.Engine(), added)
    assert build.read_custom_section(added, "one") == b"x" * 300
    assert build.read_custom_section(added, "three") is None
    with pytest.raises(ValueError, match="not a Wasm module"):
        build.read_custom_section(b"\x7fELF", "one")


def test_the_artefact_names_no_path_of_a_machine(build: ModuleType) -> None:
    content = ARTEFACT.read_bytes()
    assert not [path for path in build.machine_paths() if path in content]


def test_the_vectors_are_what_their_program_writes() -> None:
    """Their metadata is the encoding that Envoy hands over, so Rust needs no encoder to read it."""
    vectors = json.loads((ROOT / "filters/vectors/buckets.json").read_text())["requests"]
    make = program("make_vectors")
    for vector in vectors:
        if vector["metadata"] is not None:
            content = bytes.fromhex(vector["metadata_hex"])
            assert make.metadata_bytes(vector["metadata"]) == content
            assert set(Metadata.parse(content).filter_metadata) == set(vector["metadata"])
