"""The benchmark of extproc loads the Envoy that docs/extproc.md describes, and answers from within it."""

from __future__ import annotations

from benchmarks.loaded_extproc import PORTS, bootstrap


def test_it_is_the_documents_envoy_on_other_ports_with_the_versions_in_it() -> None:
    ports = {name: 20_000 + at for at, name in enumerate([*PORTS, "admin"])}
    made = bootstrap(ports)
    listening = [each["address"]["socket_address"]["port_value"] for each in made["static_resources"]["listeners"]]
    called = [
        each["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
            "port_value"
        ]
        for each in made["static_resources"]["clusters"]
    ]
    assert listening == [ports["http"], ports["v1"], ports["v2"]]
    assert called == [ports["extproc"], ports["v1"], ports["v2"]]
