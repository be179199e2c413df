"""What the control plane may tell the filter: the schemas agree with what the filter takes."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from tests.harness.repo import ROOT
from xds.proxywasm.admission import check
from xds.wire.filter_schema import FilterDefaults, FilterKey, RouteFacts

HEALTH = (ROOT / "filters/health.wasm").read_bytes()


@pytest.mark.parametrize(
    "defaults",
    [
        FilterDefaults(),
        FilterDefaults(default_key=FilterKey(header="X-User"), default_salt="Straße"),
        FilterDefaults(default_key=FilterKey(cookie="uid"), header="x-other"),
        FilterDefaults(default_key=FilterKey(source=True)),
    ],
)
def test_every_configuration_that_the_schema_allows_is_taken_by_the_filter(defaults: FilterDefaults) -> None:
    verdict = check(HEALTH, defaults.to_configuration())
    assert verdict.accepted, verdict.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"oops": 1},
        {"version": 2},
        {"header": ""},
        {"header": ":path"},
        {"header": "a b"},
        {"default_salt": "a\0b"},
        {"default_key": {}},
        {"default_key": {"header": "a", "cookie": "b"}},
        {"default_key": {"source": False}},
        {"default_key": {"header": "x\n"}},
    ],
)
def test_what_the_schema_refuses_the_filter_refuses_too(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FilterDefaults.model_validate(fields)
    assert not check(HEALTH, json.dumps(fields).encode()).accepted


def test_a_routes_facts_become_plain_values_in_a_fixed_order() -> None:
    facts = RouteFacts(
        service="shop", split=(("shop/v1", 9500), ("shop/v2", 500)), key=FilterKey(header="x-user"), salt="s"
    )
    assert json.dumps(facts.to_struct()) == (
        '{"env": "default", "service": "shop", "salt": "s", "key": {"header": "x-user"}, '
        '"split": [["shop/v1", 9500], ["shop/v2", 500]]}'
    )


@pytest.mark.parametrize("weight", [-1, 10_001, 0.5, float("nan"), "5", True])
def test_a_weight_is_a_whole_number_of_ten_thousandths(weight: object) -> None:
    with pytest.raises(ValidationError):
        RouteFacts.model_validate({"service": "shop", "split": [["a", weight]]})


def test_the_values_do_not_change_once_made() -> None:
    with pytest.raises(ValidationError):
        setattr(FilterDefaults(), "header", "x-other")  # noqa: B010 - mypy forbids the plain form, rightly
