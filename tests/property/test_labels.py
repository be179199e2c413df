"""Laws of labels: nothing raises, a mistake costs its facet, and nobody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.labels.labelled import WEB
from xds.labels.describe import describe
from xds.labels.description import Described
from xds.labels.keys import PREFIX, AnyKey
from xds.labels.table import KEYS
from xds.model.problems import Severity

ANYTHING = st.text(max_size=40) | st.sampled_from(
    [
        "NaN",
        "1e400",
        "-1",
        "0",
        "70000",
        "true",
        "auto",
        "${X}",
        "{{.}}",
        "a\nb",
        "\0",
        "\u202e",
        "5s",
        "10%",
        "/",
        "~(",
        "*",
        "!",
    ]
)
PLACES = st.sampled_from(["api", "x-a", "Ünï", "a.b", "", "admin"])


@st.composite
def labels_like_ours(draw: st.DrawFn) -> tuple[str, str]:
    """A label of the table with anything in its places, and any value."""
    key: AnyKey = draw(st.sampled_from(KEYS.all))
    names = draw(st.lists(PLACES, min_size=2, max_size=2))
    return key.at(*names), draw(ANYTHING | st.just(key.example))


LABELS = st.dictionaries(st.text(max_size=30) | st.text(max_size=20).map(PREFIX.__add__), ANYTHING, max_size=8)
OURS = st.lists(labels_like_ours(), max_size=12).map(dict)


@given(LABELS, OURS)
def test_no_labels_raise_and_whatever_is_described_can_be_registered(
    some: dict[str, str], ours: dict[str, str]
) -> None:
    found = describe({"fairlead.service": "web", **some, **ours}, WEB)
    if found.description is not None:
        instance = found.description.instance("10.0.0.7", owner="docker:one")
        assert instance.service == found.description.service
        assert all(problem.severity is Severity.WARNING for problem in found.problems)
    elif found.wanted:
        assert any(problem.severity is Severity.ERROR for problem in found.problems)


def without(found: Described, facet: str) -> object:
    """Everything of a description but one facet, and the labels that its instance carries."""
    one = found.description
    assert one is not None
    parts = {
        "check": one.check, "policy": one.policy, "canary": one.canary, "drain": one.drain, "weight": one.weight,
        "routes": tuple(route for route in one.routes if route.key.name != "web.bad"), "ports": one.ports,
    }  # fmt: skip
    return {name: value for name, value in parts.items() if name != facet}


FINE = {
    "fairlead.service": "web", "fairlead.health.http": "/ok", "fairlead.timeout": "5s", "fairlead.canary.steps": "5,50",
    "fairlead.drain": "3s", "fairlead.weight": "7", "fairlead.route.ok.path": "/ok",
}  # fmt: skip


@given(st.sampled_from(["health.interval", "route.bad.path", "canary.max", "drain", "weight"]), ANYTHING)
def test_a_mistake_in_one_facet_leaves_all_others_as_they_were(name: str, value: str) -> None:
    facet = {"health.interval": "check", "route.bad.path": "routes", "canary.max": "canary"}.get(name, name)
    before, after = describe(FINE, WEB), describe({**FINE, PREFIX + name: value}, WEB)
    assert without(before, facet) == without(after, facet)


def test_the_example_of_every_key_is_read_by_it() -> None:
    for key in KEYS:
        assert key.example, key.name
        key.type.read(key.example)
