"""serve with a file of settings, an overlay, and a variable (row M65)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from typer.testing import CliRunner

from tests.harness.processes import Programs
from tests.harness.waiting import wait_until
from xds.cli.main import app


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.ConnectError:
        return False


def test_a_control_plane_starts_as_its_file_and_overlay_say(
    programs: Programs, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    api, ads, file = free_port(), free_port(), tmp_path / "fairlead.yaml"
    (tmp_path / "token").write_text("of-the-file")
    file.write_text(
        f"data_dir: ${{WHERE:-{tmp_path}}}/data\nfilter: none\nads: 127.0.0.1:{ads}\ntoken_file: {tmp_path}/token\n"
        "quota_instances: 1\n"
    )
    file.with_name("fairlead.test.yaml").write_text(f"version: 1\napi: 127.0.0.1:{api}\n")
    program = programs.fairlead("serve", "--config", file, "--env", "test", name="serve")
    url, token = f"http://127.0.0.1:{api}", {"authorization": "Bearer of-the-file"}
    with httpx.Client(base_url=url, headers=token, trust_env=False) as client:
        wait_until(lambda: is_ready(client), 30, what="it serves where the overlay says")
        document = {"service": "web", "address": "10.0.0.7", "port": 80}
        assert client.put("/v1/instances/one", json=document).status_code == 201
        assert client.put("/v1/instances/two", json={**document, "port": 81}).status_code == 429, "the old key counts"
    assert "quota_instances is called quota.instances" in program.output()
    assert (tmp_path / "data" / "fairlead.db").exists()


def test_a_file_with_a_mistake_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.yaml"
    file.write_text("version: 1\ndata_dirr: x\n")
    result = CliRunner().invoke(app, ["serve", "--config", str(file)])
    assert result.exit_code == 2
    assert f"{file}:2:1: data_dirr is no setting; did you mean data_dir?" in result.stderr
