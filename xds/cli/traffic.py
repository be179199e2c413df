"""`traffic`: what Envoys measured of a service lately, by subset and by endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

import typer

from xds.cli.completion import services
from xds.cli.connection import connection
from xds.cli.kinds import path_of
from xds.cli.objects import Env
from xds.cli.output import Cell, Format, Output, Row, console_print, field, print_json, table, text
from xds.model.names import DEFAULT_ENV


def traffic(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="The service's name.", autocompletion=services)],
    window: Annotated[str, typer.Option("--window", metavar="TIME", help="How far back, at most 1m.")] = "",
    nodes: Annotated[bool, typer.Option("--nodes", help="Also what each Envoy measured.")] = False,
    env: Env = DEFAULT_ENV,
    output: Output = Format.TABLE,
) -> None:
    """Show a service's requests, errors and times over the last minute; `-` where nobody has told anything.

    Answers are what callers got, attempts what endpoints were asked: a retry is one more attempt and no more answer.
    """
    with connection(ctx).client() as client:
        found = client.get(path_of("services", service) + ":traffic", env=env, window=window, nodes=nodes or None)
    if output is Format.JSON:
        print_json(found)
        return
    _print(found, nodes=nodes)


def _print(found: Row, *, nodes: bool) -> None:
    typer.echo(f"{found['env']}/{found['service']}  last {found['window']}\n")
    subsets = [subset for subset in _rows(found, "subsets") if subset["answers"] or subset["attempts"]]
    if not subsets:
        typer.echo("no Envoy has told anything of it")
        return
    console_print(table({"subset": field("name"), **_MEASURED}, subsets))
    endpoints = [{"subset": subset["name"], **row} for subset in subsets for row in _rows(subset, "endpoints")]
    if endpoints:
        typer.echo()
        console_print(table(_ENDPOINT, endpoints))
    if nodes:
        rows = [{"subset": subset["name"], **row} for subset in subsets for row in _rows(subset, "nodes")]
        typer.echo()
        console_print(table({"envoy": field("node"), "subset": field("subset"), **_MEASURED}, rows))


def _rows(row: Row, name: str) -> Iterator[Row]:
    return iter(cast("list[Row]", row.get(name) or []))


def _of(kind: str, name: str, unit: str = "") -> Cell:
    """Return a cell with one number of the answers or the attempts."""

    def cell(row: Row) -> str:
        value = cast("Row", row.get(kind) or {}).get(name)
        return "-" if value is None else text(value) + unit

    return cell


_MEASURED: dict[str, Cell] = {
    "answers": _of("answers", "requests"), "errors": _of("answers", "errors"),
    "success": _of("answers", "success", " %"), "p50": _of("answers", "p50_ms", " ms"),
    "p99": _of("answers", "p99_ms", " ms"), "attempts": _of("attempts", "requests"),
    "failed": _of("attempts", "errors"), "running": _of("attempts", "in_progress"), "drops": _of("attempts", "drops"),
}  # fmt: skip
_ENDPOINT: dict[str, Cell] = {
    "endpoint": field("address"), "instance": field("instance"), "subset": field("subset"),
    "attempts": field("requests"), "failed": field("errors"),
    "success": lambda row: "-" if row.get("success") is None else f"{row['success']} %",
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(traffic)
