"""explain and get of containers against a real control plane, as an agent tells of them (rows M09, M20)."""

from __future__ import annotations

import json

from tests.feature.api.test_containers import HOST, ID, INSTANCE, WEB
from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane


def test_a_container_is_explained_on_one_screen_by_any_of_its_names(fairlead: Fairlead, plane: Plane) -> None:
    plane.put("agents/host-7", HOST)
    plane.put(f"instances/{WEB['instance']}", INSTANCE)
    hidden = {"id": "b" * 64, "name": "db", "standing": "unlabelled", "why": "it did not opt in"}
    named = {**WEB, "id": "c" * 64, "name": "web", "instance": "web-cccccccccccc"}
    plane.put("agents/host-7/containers", {"items": [WEB, hidden, named]})

    told = fairlead("explain", ID[:12]).stdout
    assert [line.split()[0] for line in told.splitlines() if line[0] != " "] == [
        "container", "seen", "labels", "stands", "address", "probe", "instance", "health", "subset", "cluster",
        "weight", "envoys",
    ]  # fmt: skip
    for part in ("10.0.0.7:8080  (network bridge)", "not published: port 8080 is not", "about 100 % of the service's",
                 "web/v1", "decided by nobody", "no live Envoy asks for its cluster"):  # fmt: skip
        assert part in told
    assert json.loads(fairlead("explain", "web-1", "-o", "json").stdout)["container"]["id"] == ID

    assert "not registered, unlabelled: it did not opt in" in fairlead("explain", "db").stdout
    service = fairlead("explain", "web")
    assert "stable v1" in service.stdout
    assert "fairlead explain --container web" in service.stderr
    assert "is not known to the control plane" in fairlead("explain", "--container", "web").stdout

    missing = fairlead("explain", "web-2", exit_code=1).stderr
    assert "service default/web-2 does not exist" in missing
    assert "did you mean web-1?" in missing
    listed = fairlead("get", "containers").stdout
    assert "it did not opt in" in listed
    assert fairlead("get", "container", "db").stdout.splitlines()[1].startswith("db")
