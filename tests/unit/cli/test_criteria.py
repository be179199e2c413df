"""The options by which a rollout is judged become the API's document, or an error that names the option."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from xds.cli.criteria import criteria
from xds.cli.exits import Exit, Failed
from xds.cli.main import app
from xds.model.analysis import NoData

SILENT: dict[str, Any] = {
    "min_requests": None, "success_rate": "", "p99": "", "error_delta": "", "no_data": None, "after": "",
    "no_rollback": False,
}  # fmt: skip


def asked(**options: object) -> dict[str, object] | None:
    return criteria(**{**SILENT, **options})


def test_nothing_is_judged_where_nothing_is_said() -> None:
    assert asked() is None


def test_every_option_is_a_field_and_may_be_written_as_its_label_is() -> None:
    wanted = {
        "min_requests": 200, "success_rate": 99.5, "p99": "500ms", "error_delta": 0.5, "no_data": "fail",
        "wait": "90s", "rollback": False,
    }  # fmt: skip
    options = {"min_requests": 200, "no_data": NoData.FAIL, "after": "1m30s", "no_rollback": True}
    assert asked(**options, success_rate="99.5", p99="500ms", error_delta="0.5") == wanted
    assert asked(**options, success_rate=">=99.5%", p99="<=500ms", error_delta="<=0.5pp") == wanted


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("success_rate", "most", "--success-rate 'most' is not between 0 and 100"),
        ("success_rate", "101", "--success-rate '101' is not between 0 and 100"),
        ("error_delta", "0.555", "--error-delta '0.555' is not between 0 and 100 with at most two decimals"),
        ("error_delta", "nan", "--error-delta 'nan'"),
        ("p99", "soon", "--p99 'soon' is no time"),
        ("after", "-5s", "--no-data-after '-5s' is no time"),
    ],
)
def test_what_is_no_value_is_said_by_option(option: str, value: str, words: str) -> None:
    with pytest.raises(Failed, match=words) as caught:
        asked(**{option: value})
    assert caught.value.code is Exit.INVALID


def test_the_command_says_it_before_it_asks_anybody() -> None:
    result = CliRunner().invoke(
        app, ["canary", "start", "web", "v2", "--p99", "soon"], env={"FAIRLEAD_SERVER": "http://127.0.0.1:9"}
    )
    assert (result.exit_code, "--p99 'soon' is no time" in result.output) == (2, True)
