"""The options by which a rollout is judged, as the API's document of them."""

from __future__ import annotations

from typing import Annotated

import typer

from xds.cli.exits import Exit, Failed
from xds.model.analysis import NoData
from xds.model.duration import read_duration, write_duration

_PANEL = "How it is judged, by what Envoys report"

MinRequests = Annotated[
    int | None,
    typer.Option("--min-requests", min=1, metavar="N", rich_help_panel=_PANEL, help="Requests that a step needs, else "
                 "100 where it is judged. Without --pause it goes on as soon as they were good."),
]  # fmt: skip
SuccessRate = Annotated[
    str,
    typer.Option("--success-rate", metavar="PERCENT", rich_help_panel=_PANEL, help="Share that must not fail."),
]
P99 = Annotated[
    str,
    typer.Option("--p99", metavar="TIME", rich_help_panel=_PANEL, help="Time that 99 of 100 answers must stay within."),
]
ErrorDelta = Annotated[
    str,
    typer.Option("--error-delta", metavar="POINTS", rich_help_panel=_PANEL,
                 help="Percentage points by which more may fail than of the stable version."),
]  # fmt: skip
WithoutData = Annotated[
    NoData | None,
    typer.Option("--no-data", rich_help_panel=_PANEL, help="What too few requests mean. Else pause."),
]
DataWait = Annotated[
    str,
    typer.Option("--no-data-after", metavar="TIME", rich_help_panel=_PANEL,
                 help="How long enough requests are waited for, beyond the pause. Else 5m."),
]  # fmt: skip
NoRollback = Annotated[
    bool,
    typer.Option("--no-rollback", rich_help_panel=_PANEL, help="Pause what is judged bad instead of taking it back."),
]


def criteria(
    min_requests: int | None,
    success_rate: str,
    p99: str,
    error_delta: str,
    no_data: NoData | None,
    after: str,
    *,
    no_rollback: bool,
) -> dict[str, object] | None:
    """Return the document of the options that were given, None without any; Failed (2) for what is no value of one."""
    said = {
        "min_requests": min_requests,
        "success_rate": _number("--success-rate", success_rate.removeprefix(">="), "%"),
        "p99": _time("--p99", p99.removeprefix("<=")),
        "error_delta": _number("--error-delta", error_delta.removeprefix("<="), "pp"),
        "no_data": None if no_data is None else no_data.value,
        "wait": _time("--no-data-after", after),
        "rollback": False if no_rollback else None,
    }
    return {name: value for name, value in said.items() if value is not None} or None


def _number(option: str, text: str, unit: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text.removesuffix(unit))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100 or round(found, 2) != found:
        raise Failed(f"{option} {text!r} is not between 0 and 100 with at most two decimals", Exit.INVALID)
    return found


def _time(option: str, text: str) -> str | None:
    if not text:
        return None
    try:
        return write_duration(read_duration(text))
    except ValueError:
        raise Failed(f"{option} {text!r} is no time: as in 500ms, 30s, 5m", Exit.INVALID) from None
