"""`simulate`: what a breaker would have done, on made-up or recorded traffic, before it is anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xds.cli.exits import Failed
from xds.cli.output import Cell, Format, Output, Row, console_print, field, print_json, table, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xds.simulate.run import Run
    from xds.simulate.traffic import Traffic, Version

EXAMPLE = ("v1=90", "v2=10,errors=50%,from=10s,to=40s,ms=20")


Versions = Annotated[
    list[str] | None,
    typer.Option(
        "--version",
        metavar="NAME=WEIGHT[,errors=E][,ms=M][,status=S][,from=T][,to=T]",
        help="A version, its share and how it answers between two times; again for another phase.",
        show_default=" ".join(EXAMPLE),
    ),
]
Rule = Annotated[
    str,
    typer.Option(metavar="NAME=N,...", help="The breaker's rule, as in docs/breaker.md.", show_default="its defaults"),
]
Compared = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=N,N,...", help="Values to compare, as consecutive=3,5,10; again for another one."),
]


def simulate(
    version: Versions = None,
    rule: Rule = "",
    compare: Compared = None,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="PATH", help="Requests as JSON lines instead of made-up ones.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 200.0,
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="For how long they come.")] = "60s",
    users: Annotated[int, typer.Option(min=1, max=1_000_000, help="From how many users they come.")] = 1_000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Workers of the proxy: a machine with the filter each.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="PATH", help="Also draw an SVG or PNG (needs fairlead[chart]).")
    ] = None,
    filter_path: Annotated[
        str, typer.Option("--filter", metavar="PATH", help="The health filter.", show_default="the built-in one")
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Play traffic through split and breaker in virtual time, with the real filter, and count what users would see.

    `fairlead simulate --version v1=90 --version v2=10,errors=50%,from=10s,to=40s --compare consecutive=3,5,10`

    Outside of its times a version is well and answers in 10 ms. A line of a log is {"time": 12.25, "key": "alice",
    "version": "v2", "status": 503, "ms": 20}; --version then says the weights only.
    """
    from xds.proxywasm.failures import Refused, Trapped
    from xds.simulate import drawing
    from xds.simulate.proxy import split_of
    from xds.simulate.settings import read_rule, read_settings
    from xds.simulate.several import simulate_all
    from xds.simulate.traffic import read_versions

    versions = read_versions(version or EXAMPLE)
    split = split_of({each.name: each.weight for each in versions if each.weight})
    settings = read_settings(split, read_rule(rule), compare or [], workers=workers, seed=seed)
    traffic, length_ns = _traffic(log, versions, rate, length, users, seed)
    if chart is not None:
        drawing.check(chart)
    try:
        runs = simulate_all(_module(filter_path), traffic, settings, length_ns)
    except (Refused, Trapped) as error:
        raise Failed(str(error)) from None
    if chart is not None:
        drawing.draw(runs, chart)
    _print(runs, output)


def _traffic(
    log: Path | None, versions: Sequence[Version], rate: float, length: str, users: int, seed: int
) -> tuple[Traffic, int]:
    """Return where requests come from, and for how many nanoseconds they do."""
    from xds.model.problems import InvalidInput
    from xds.simulate.request_log import Recorded
    from xds.simulate.texts import duration_ns
    from xds.simulate.traffic import Generated

    if log is None:
        length_ns = duration_ns(length, pointer="/for")
        return Generated(tuple(versions), rate, length_ns, users, seed), length_ns
    if any(each.phases for each in versions):
        raise InvalidInput("how versions answer is in the log; say their weights only", pointer="/version")
    try:
        with log.open(encoding="utf-8") as lines:
            recorded = Recorded.read(lines)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInput(f"{log} cannot be read: {reason}", pointer="/log") from None
    recorded.check(each.name for each in versions if each.weight)
    return recorded, recorded.length_ns


def _module(path: str) -> bytes:
    from xds.config import built_in_filter
    from xds.model.problems import InvalidInput

    try:
        return (Path(path) if path else built_in_filter()).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", pointer="/filter") from None


def _print(runs: Sequence[Run], output: Format) -> None:
    from xds.simulate.report import chart, figures

    rows = [figures(run) for run in runs]
    if output is Format.JSON:
        print_json(rows)
        return
    console_print(table(_RUN, rows))
    for run, row in zip(runs, rows, strict=True):
        if len(runs) > 1:
            typer.echo(f"\n{run.setting.name}")
        else:
            typer.echo()
            console_print(table(_VERSION, _versions(row)))
            if run.transitions:
                typer.echo()
                console_print(table(_TRANSITION, cast("list[Row]", row["transitions"])))
            typer.echo()
        typer.echo(chart(run))
        for words, count in run.complaints.items():
            typer.echo(f"the filter said {count} times: {words}", err=True)


def _versions(row: Row) -> list[Row]:
    versions = cast("Mapping[str, Row]", row["versions"])
    return [{"version": name, **each} for name, each in versions.items()]


def _unit(name: str, unit: str) -> Cell:
    return lambda row: "-" if row.get(name) is None else f"{text(row[name])} {unit}"


_RUN: dict[str, Cell] = {
    "setting": field("setting"), "requests": field("requests"),
    "errors without": field("errors_without"), "errors with": field("errors_with"),
    "mean without": _unit("mean_ms_without", "ms"), "mean with": _unit("mean_ms_with", "ms"),
    "remapped": field("remapped"), "rejected": field("rejected"),
    "opens": field("opens"), "first open": _unit("first_open_s", "s"),
}  # fmt: skip
_VERSION: dict[str, Cell] = {
    "version": field("version"), "weight": _unit("weight", "%"),
    "share without": _unit("share_without", "%"), "share with": _unit("share_with", "%"),
    "errors without": field("errors_without"), "errors with": field("errors_with"),
    "opens": field("opens"), "cut off for": _unit("away_s", "s"),
}  # fmt: skip
_TRANSITION: dict[str, Cell] = {
    "at": _unit("at_s", "s"), "version": field("version"),
    "from": field("from"), "to": field("to"), "why": field("why"),
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(simulate)
