"""Whose word decides what a node may call."""

from __future__ import annotations

import pytest

from xds.control.upstreams import decide
from xds.model.instance import Instance
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.node import EGRESS, NodeProfile, Role
from xds.model.reach import EVERYTHING, UPSTREAMS, UpstreamNames
from xds.model.service import Service

WEB = ServiceKey("default", "web")
SIDECAR = NodeProfile(Role.SIDECAR, service="web", egress=EGRESS)


def intent(*labels: str | None, service: str | None = None) -> Intent:
    """Service web with a label or none, and an instance for each of `labels`: web-0, web-1 and so on."""
    made = Intent()
    objects: list[Instance | Service] = [Service(WEB, labels=_labels(service))]
    objects += [
        Instance(f"web-{at}", WEB, "10.0.0.1", {"http": 80}, labels=_labels(text)) for at, text in enumerate(labels)
    ]
    made.commit({ref(each): each for each in objects}, 1)
    return made


def _labels(text: str | None) -> dict[str, str]:
    return {} if text is None else {UPSTREAMS: text}


def test_the_nodes_own_word_counts_first() -> None:
    said = NodeProfile(Role.SIDECAR, service="web", egress=EGRESS, upstreams=("a", "b"))
    found = decide(said, "web-0", intent("c", service="d"))
    assert (found.upstreams, found.because) == (("a", "b"), "its metadata says upstreams a,b")


def test_the_label_of_the_instance_that_has_the_nodes_id_counts_next() -> None:
    found = decide(SIDECAR, "web-1", intent("a", "b"))
    assert found.upstreams == ("b",)
    assert found.because == "label fairlead.upstreams of instance web-1 says upstreams b"


def test_an_instance_of_another_service_that_has_the_nodes_id_says_nothing() -> None:
    other = NodeProfile(Role.SIDECAR, service="api", egress=EGRESS)
    assert decide(other, "web-0", intent("a")).upstreams is None


@pytest.mark.parametrize(
    ("labels", "service", "upstreams", "because"),
    [
        (("a,b", "c"), None, ("a", "b", "c"), "label fairlead.upstreams of the instances of web says upstreams a,b,c"),
        (("a", None), "c", ("a", "c"), "label fairlead.upstreams of the instances of web says upstreams a,c"),
        (("a", None), None, None, "everything of env default, as no label fairlead.upstreams of web says otherwise"),
        ((None,), "c", ("c",), "label fairlead.upstreams of service web says upstreams c"),
        ((), "c", ("c",), "label fairlead.upstreams of service web says upstreams c"),
        ((None,), None, None, "everything of env default, as no label fairlead.upstreams of web says otherwise"),
        (("a", "*"), None, None, "label fairlead.upstreams of the instances of web says everything of env default"),
        (
            ("Not A Name",),
            None,
            None,
            "everything of env default, as no label fairlead.upstreams of web says otherwise",
        ),
    ],
)
def test_sidecars_that_cannot_be_told_apart_get_what_any_of_them_needs(
    labels: tuple[str | None, ...], service: str | None, upstreams: UpstreamNames | None, because: str
) -> None:
    found = decide(SIDECAR, "some-sidecar", intent(*labels, service=service))
    assert (found.upstreams, found.because) == (upstreams, because)


@pytest.mark.parametrize(
    ("said", "upstreams", "because"),
    [
        (NodeProfile(Role.SIDECAR, egress=EGRESS), None, "everything of env default, as neither its metadata"),
        (NodeProfile(Role.SIDECAR, egress=EGRESS, upstreams=EVERYTHING), None, "its metadata says everything of env"),
        (NodeProfile(Role.SIDECAR, service="web"), (), "it has no egress"),
        (NodeProfile(Role.GATEWAY, gateway="edge"), None, "the routes of gateway edge"),
        (NodeProfile(Role.GRPC), None, "a gRPC client of env default"),
    ],
)
def test_others_are_decided_by_what_they_are(said: NodeProfile, upstreams: object, because: str) -> None:
    found = decide(said, "n", intent("a"))
    assert found.upstreams == upstreams
    assert found.because.startswith(because)
