"""`import`: documents on standard output, the report on standard error, and an exit code that tells of both."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.harness.repo import ROOT
from xds.cli.documents import read_text
from xds.cli.main import app

EXAMPLES = ROOT / "tests" / "unit" / "istio" / "examples"


def test_what_did_not_map_is_reported_with_its_place_beside_the_documents() -> None:
    ran = CliRunner().invoke(app, ["import", str(EXAMPLES / "bookinfo" / "istio.yaml")])
    assert ran.exit_code == 1
    assert [document.value["kind"] for document in read_text(ran.stdout, "out")] == ["service", "service", "route"]
    assert "istio.yaml:21:5: did not map: /spec/http/0/fault: no faults are injected" in ran.stderr


def test_a_program_gets_documents_and_report_in_one() -> None:
    ran = CliRunner().invoke(app, ["import", str(EXAMPLES / "canary" / "istio.yaml"), "--format", "json"])
    found = json.loads(ran.stdout)
    assert {each["kind"] for each in found["documents"]} == {"service", "route"}
    assert found["left"][0]["line"] == 39
    assert found["refused"] == []


def test_where_everything_maps_it_ends_with_0_and_what_the_api_would_refuse_with_2(tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\n"
    file.write_text(head + "spec: {host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n", encoding="utf-8")
    ran = CliRunner().invoke(app, ["import", str(file)])
    assert (ran.exit_code, ran.stderr, ran.stdout) == (0, "", "kind: service\nname: web\nbalancing: random\n")
    file.write_text(head + "spec: {host: Web_, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n", encoding="utf-8")
    ran = CliRunner().invoke(app, ["import", str(file)])
    assert ran.exit_code == 2
    assert "service Web_: /name: " in ran.stderr
