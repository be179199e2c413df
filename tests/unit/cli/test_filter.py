"""`fairlead filter`: W2, what is refused before any Envoy has it, and what is packed."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
import wasmtime
from typer.testing import CliRunner, Result

from tests.harness.repo import ROOT
from xds.cli.main import app

HEALTH = ROOT / "filters/health.wasm"
DIGEST = hashlib.sha256(HEALTH.read_bytes()).hexdigest()
LOOP = '(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (loop (br 0)) (i32.const 1))'
TRAP = '(func (export "proxy_on_log") (param i32) unreachable)'


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["filter", *map(str, words)], terminal_width=200)


def wasm(*parts: str, abi: str = "0_2_1") -> bytes:
    standing = '(memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 64))'
    text = f'(module {" ".join(parts)} {standing} (func (export "proxy_abi_version_{abi}")))'
    return bytes(wasmtime.wat2wasm(text))


def test_what_a_filter_is_stands_in_a_table_and_the_verdict_below_it() -> None:
    result = run("check", HEALTH, "--sha256", DIGEST)
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.output.splitlines()]
    assert ["abi", "0.2.1"] in [[word.strip() for word in line] for line in lines]
    assert "env.proxy_get_property" in result.output
    assert result.output.splitlines()[-1].split() == ["verdict", "accepted"]


def test_programs_read_the_same_as_json(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"version": 2}')
    result = run("check", HEALTH, "--config", config, "-o", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["accepted"], found["abi"], found["sha256"]) == (False, "0.2.1", DIGEST)
    assert "`version` is 2" in found["reason"]
    assert found["logs"][-1]["level"] == "critical" or "`version` is 2" in found["logs"][-1]["text"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEALTH.read_bytes()[:5000], "cut or damaged"),
        (gzip.compress(bytes(50 << 20)), "is not WebAssembly"),
        (wasm(abi="9_9_9"), "an unknown Proxy-Wasm ABI"),
        (wasm('(import "env" "proxy_fly" (func))'), "imports env.proxy_fly, which Proxy-Wasm 0.2.1 does not have"),
        (wasm(TRAP), "the filter is faulty: on a plain request, proxy_on_log failed"),
        (wasm(LOOP), "proxy_on_vm_start failed: it did not return within 1 s"),
    ],
    ids=["truncated", "zip bomb", "unknown ABI", "missing import", "trapping", "looping"],
)
def test_w2_a_bad_filter_is_refused_in_words_and_not_packed(tmp_path: Path, content: bytes, words: str) -> None:
    file, out = tmp_path / "bad.wasm", tmp_path / "image"
    file.write_bytes(content)
    for result in (run("check", file), run("package", file, "--out", out)):
        assert result.exit_code == 1
        assert words in " ".join(result.stderr.split())
    assert not out.exists()


def test_w2_a_filter_with_another_digest_is_not_the_one_that_was_meant() -> None:
    result = run("check", HEALTH, "--sha256", "0" * 64)
    assert result.exit_code == 1
    assert f"its SHA-256 is {DIGEST}, not {'0' * 64}" in " ".join(result.stderr.split())


def test_w2_300_mb_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.wasm"
    with file.open("wb") as large:
        large.truncate(300 << 20)
    result = run("check", file)
    assert result.exit_code == 1
    assert "the module is 314572800 bytes long, the most is 16777216" in " ".join(result.stderr.split())


def test_a_file_that_is_not_there_is_the_callers_mistake(tmp_path: Path) -> None:
    assert run("check", tmp_path / "none.wasm").exit_code == 2
    assert run("package", HEALTH, "--out", tmp_path / "image", "--annotation", "=x").exit_code == 2


def test_a_good_filter_is_packed_with_its_digest_and_annotations(tmp_path: Path) -> None:
    out = tmp_path / "image"
    result = run("package", HEALTH, "--out", out, "--tag", "v7", "--annotation", "team=edge", "-o", "json")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    (entry,) = json.loads((out / "index.json").read_text())["manifests"]
    manifest = json.loads((out / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_text())
    assert said["digest"] == entry["digest"]
    assert manifest["annotations"] == said["annotations"]
    assert said["annotations"]["fairlead.filter.sha256"] == DIGEST
    assert said["annotations"]["team"] == "edge"
    assert run("package", HEALTH, "--out", out).exit_code == 2, "the folder is not empty any more"
