"""Labels of what is registered already say the same as those of the container did."""

from __future__ import annotations

from dataclasses import replace

from tests.harness.declared import instance
from tests.unit.labels.labelled import WEB, understood
from xds.labels.registered import redescribe, words_of


def test_an_instance_comes_to_the_policy_and_the_routes_that_its_container_had() -> None:
    said = {"timeout": "5s", "route.api.path": "/v1", "route.api.port": "admin", "ports.admin": "9000"}
    container = understood(
        {**said, "port": "8080", "canary.steps": "5,50"}, replace(WEB, image="example/web:2.4.1", ports=())
    )
    found = redescribe(container.instance("10.0.0.7"))
    assert found is not None
    assert (found.service, found.version, found.ports) == (container.service, "2.4.1", container.ports)
    assert (found.policy, found.routes, found.canary) == (container.policy, container.routes, container.canary)


def test_an_instance_without_labels_of_ours_says_nothing() -> None:
    plain = instance(labels={"team": "shop"})
    assert words_of(plain) == {}
    assert redescribe(plain) is None
