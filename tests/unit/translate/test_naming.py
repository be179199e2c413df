"""Names of resources, and back."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.translate import naming

IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)


def test_a_named_port_is_part_of_the_clusters_service() -> None:
    assert naming.cluster("web", "v1") == "web/v1"
    assert naming.cluster("web", "-", "admin") == "web.admin/-"


@given(IDS, IDS)
def test_a_clusters_name_can_be_read_back(service: str, subset: str) -> None:
    assert naming.read_cluster(naming.cluster(service, subset)) == (service, subset)


@pytest.mark.parametrize("name", ["web", "", "ingress/a/b"])
def test_a_name_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not <service>/<subset>"):
        naming.read_cluster(name)


@given(IDS, IDS)
def test_a_statistic_has_no_dots_and_tells_the_name(service: str, subset: str) -> None:
    stat = naming.stat_name(naming.cluster(service, subset))
    assert "." not in stat
    assert naming.from_stat_name(stat) == naming.cluster(service, subset)


def test_names_cost_no_message_classes() -> None:
    """The CLI and the bootstrap name resources without paying for Envoy's API."""
    program = "import sys, xds.translate.naming; sys.exit('envoy_data_plane' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
