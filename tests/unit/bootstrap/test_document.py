"""What stands in a bootstrap, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from xds.bootstrap import VERSION, XDS_CLUSTER, BootstrapSpec, bootstrap
from xds.model.instance import Address
from xds.model.node import Role

GATEWAY = BootstrapSpec(role=Role.GATEWAY, gateway="edge", token="sesame", region="eu", zone="eu-1")


def made(spec: BootstrapSpec) -> Any:  # a JSON document is looked into freely
    return json.loads(json.dumps(bootstrap(spec)))


def test_the_node_says_who_it_is_and_which_bootstrap_it_runs() -> None:
    node = made(GATEWAY)["node"]
    assert node["cluster"] == "edge"
    assert node["locality"] == {"region": "eu", "zone": "eu-1"}
    assert node["metadata"]["fairlead"] == {
        "role": "gateway",
        "env": "default",
        "gateway": "edge",
        "region": "eu",
        "zone": "eu-1",
        "bootstrap": VERSION,
    }


def test_configuration_comes_over_one_delta_stream() -> None:
    """Delta: a control plane that comes back sends only what differs."""
    dynamic = made(GATEWAY)["dynamic_resources"]
    ads = dynamic["ads_config"]
    assert ads["api_type"] == "DELTA_GRPC"
    assert ads["set_node_on_first_message_only"] is True
    assert dynamic["cds_config"] == dynamic["lds_config"]
    assert dynamic["cds_config"]["initial_fetch_timeout"] == "15s"
    (service,) = ads["grpc_services"]
    assert service["envoy_grpc"]["retry_policy"]["retry_back_off"]["max_interval"] == "10s"


def test_the_token_goes_to_every_service_of_the_control_plane_and_nowhere_else() -> None:
    sesame = [{"key": "authorization", "value": "Bearer sesame"}]
    document = made(GATEWAY)
    assert document["dynamic_resources"]["ads_config"]["grpc_services"][0]["initial_metadata"] == sesame
    assert document["cluster_manager"]["load_stats_config"]["grpc_services"][0]["initial_metadata"] == sesame
    assert document["stats_sinks"][0]["typed_config"]["grpc_service"]["initial_metadata"] == sesame
    assert "sesame" not in json.dumps(document["node"])
    assert "initial_metadata" not in json.dumps(made(replace(GATEWAY, token="")))


def test_an_emptied_mesh_is_refused_by_envoy_itself() -> None:
    """The last line against an emptied mesh is in the client. More than 1 would refuse shrinking."""
    (validator,) = made(GATEWAY)["dynamic_resources"]["ads_config"]["config_validators"]
    assert validator["typed_config"]["min_clusters_num"] == 1


def test_a_half_open_connection_is_noticed() -> None:
    """Without keepalive it is not, within 25 s and more."""
    (cluster,) = made(GATEWAY)["static_resources"]["clusters"]
    assert cluster["name"] == XDS_CLUSTER
    (options,) = cluster["typed_extension_protocol_options"].values()
    keepalive = options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]
    assert keepalive == {"interval": "30s", "timeout": "10s"}


def test_a_control_plane_with_a_name_is_resolved_again_and_again() -> None:
    def kind(ads: Address) -> object:
        return made(replace(GATEWAY, ads=ads))["static_resources"]["clusters"][0]["type"]

    assert kind(Address("127.0.0.1", 1)) == "STATIC"
    assert kind(Address("xds.example.com", 1)) == "STRICT_DNS"


def test_metrics_come_as_what_can_be_added_up() -> None:
    """Deltas, histograms in buckets, and messages that gRPC takes however many clusters there are."""
    (sink,) = made(GATEWAY)["stats_sinks"]
    config = sink["typed_config"]
    assert (config["report_counters_as_deltas"], config["emit_tags_as_labels"]) == (True, True)
    assert (config["histogram_emit_mode"], config["batch_size"]) == ("HISTOGRAM", 200)


def test_times_up_to_ten_seconds_are_told_apart_by_a_factor_of_two() -> None:
    (settings,) = made(GATEWAY)["stats_config"]["histogram_bucket_settings"]
    bounds = [bound for bound in settings["buckets"] if bound <= 10_000]
    assert bounds == sorted(set(bounds))
    assert all(upto <= 2 * above for above, upto in pairwise(bounds))


def test_reports_can_be_left_out() -> None:
    document = made(replace(GATEWAY, reports=False))
    assert "stats_sinks" not in document
    assert "cluster_manager" not in document
    assert [layer["name"] for layer in document["layered_runtime"]["layers"]] == ["admin"]


def test_a_grpc_program_gets_the_file_that_grpc_reads() -> None:
    """gRPC proposal A27."""
    spec = BootstrapSpec(role=Role.GRPC, id="caller-1", env="prod", zone="eu-1", ads=Address("10.0.0.5", 15010))
    assert made(spec) == {
        "xds_servers": [
            {
                "server_uri": "10.0.0.5:15010",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {
            "id": "caller-1",
            "cluster": "grpc",
            "locality": {"zone": "eu-1"},
            "metadata": {"fairlead": {"role": "grpc", "env": "prod", "bootstrap": VERSION}},
        },
    }
