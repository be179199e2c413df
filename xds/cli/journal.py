"""`journal`, `replay`: who changed what, what stood at a moment; and for `diff`, what two moments differ in."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from xds.cli.connection import connection
from xds.cli.exits import Failed
from xds.cli.objects import Env
from xds.cli.output import Format, Output, Row, print_json
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client

POLL_S: Final = 1.0
_PAGE: Final = 1000
_WORDS: Final = 80  # characters of a value in a line

Since = Annotated[str, typer.Option("--since", metavar="TIME", help="As in 10m, or 2026-01-02T03:04:05Z.")]


def journal(
    ctx: typer.Context,
    since: Since = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Up to then.")] = "",
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="Only what is about this service.")] = "",
    about: Annotated[str, typer.Option("--object", metavar="KEY", help="Only this object, by its id or key.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="As in instance, health, alarm, refused.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until interrupted.")] = False,
    env: Env = DEFAULT_ENV,
    output: Output = Format.TABLE,
) -> None:
    """Show who or what changed what, when and why, oldest first; with `-o json` one document a line.

    `fairlead journal --since 10m --service web`, `fairlead journal --since 1m --follow`.
    """
    asked = {"since": since, "until": until, "service": service, "object": about, "kind": kind}
    with connection(ctx).client() as client:
        for row in _rows(client, {**asked, "env": env if service else None}, follow=follow):
            typer.echo(json.dumps(row, ensure_ascii=False) if output is Format.JSON else line(row))
            if follow:
                sys.stdout.flush()


def _rows(client: Client, asked: Mapping[str, object], *, follow: bool) -> Iterator[Row]:
    """Yield rows page by page; with `follow` ask again for what came since, also over a restart of the server."""
    after: object = None
    while True:
        try:
            rows = cast("list[Row]", client.get("/v1/journal", **asked, after=after, limit=_PAGE).get("items", []))
        except Failed:
            if not follow or after is None:
                raise
            rows = []
        yield from rows
        after = rows[-1]["id"] if rows else after
        if len(rows) < _PAGE:
            if not follow:
                return
            time.sleep(POLL_S)


def line(row: Row) -> str:
    """Return a row as one line: when, the revision, what, by whom, what changed, why."""
    before, after = row.get("before"), row.get("after")
    reason = f"  ({row['reason']})" if row.get("reason") else ""
    at = str(row["at"]).replace("+00:00", "Z")
    return (
        f"{at}  r{row['revision']}  {row['kind']} {row['object']}  {changed(before, after)}  by {row['actor']}{reason}"
    )


def changed(before: object, after: object) -> str:
    """Say in a few words what a change was: the fields that differ, or what it was before and after."""
    if isinstance(before, dict) and isinstance(after, dict):
        parts = [
            f"{name} {_short(before.get(name))} → {_short(after.get(name))}"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
        return ", ".join(parts) or "the same"
    if isinstance(before, dict) or isinstance(after, dict):
        return "created" if before is None else "removed"
    return f"{_short(before)} → {_short(after)}" if before is not None or after is not None else "-"


def _short(value: object) -> str:
    found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "-" if value is None else found if len(found) <= _WORDS else found[: _WORDS - 1] + "…"


def replay(
    ctx: typer.Context,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="As in 10m, or 2026-01-02T03:04:05Z.")],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to write it; - for standard output.")] = "-",
) -> None:
    """Write what was declared at a moment as documents for `fairlead apply -f`, and overlays as commands beside them.

    `fairlead replay --at 10m --out before.yaml`. Nothing is changed by it; rollouts are not among the documents, the
    weights of services are.
    """
    from xds.cli.documents import to_yaml

    with connection(ctx).client() as client:
        found = client.get("/v1/journal:at", time=at)
    documents = cast("list[Mapping[str, object]]", found.get("documents", []))
    when = f"revision {found['revision']}" + (f" of {found['at']}" if found.get("at") else "")
    laid = "".join(f"# {_again(overlay)}\n" for overlay in cast("list[Row]", found.get("overlays", [])))
    text = f"# {when}\n" + laid + "---\n".join(to_yaml(document) for document in documents)
    if out == "-":
        typer.echo(text, nl=False)
    else:
        Path(out).write_text(text, encoding="utf-8")
        typer.echo(f"{len(documents)} documents of {when} in {out}", err=True)
    for name in cast("list[str]", found.get("unreadable", [])):
        typer.echo(f"left out, its row cannot be read: {name}", err=True)


def _again(overlay: Row) -> str:
    """Return the command that lays an overlay again, and until when it was to stand."""
    act = str(overlay["act"])
    picked = [overlay["service"], overlay["version"]] if act == "pin" else ["-l", overlay["selector"]]
    told = {"--to": overlay["weight"], "--reason": overlay["reason"], "--env": overlay["env"], "--id": overlay["id"]}
    options = [str(word) for option, value in told.items() if value not in (None, "") for word in (option, value)]
    until = f"  # until {overlay['until']}" if overlay["until"] else ""
    return shlex.join(["fairlead", act, *map(str, picked), *options]) + until


def between(ctx: typer.Context, at: str, to: str, output: Format, *, envoy: bool) -> None:
    """Show what two moments differ in: declared objects, and the resources that Envoys are sent for them."""
    with connection(ctx).client() as client:
        found = client.get("/v1/journal:diff", at=at, to=to)
    if output is Format.JSON:
        print_json(found)
        return
    ends = [cast("Row", found[name]) for name in ("at", "to")]
    typer.echo(" → ".join(f"r{end['revision']}" + (f" ({end['at']})" if end["at"] else "") for end in ends))
    for each in cast("list[Row]", found["objects"]):
        typer.echo(f"{each['kind']} {each['object']}: {changed(each['before'], each['after'])}")
    for each in cast("list[Row]", found["resources"]):
        word = "new" if each["before"] is None else "gone" if each["after"] is None else "changed"
        typer.echo(f"envoy {each['type']} {each['variant']} {each['name']}: {word}")
        if envoy:
            typer.echo(_difference(each["before"], each["after"]), nl=False)
    if found.get("left_out"):
        typer.echo(f"{found['left_out']} more differ", err=True)


def _difference(before: object, after: object) -> str:
    """Return two documents as a unified difference of their YAML."""
    import difflib

    from xds.cli.documents import to_yaml

    old, new = (to_yaml(each).splitlines() if isinstance(each, dict) else [] for each in (before, after))
    return "".join(f"  {text}\n" for text in list(difflib.unified_diff(old, new, n=2, lineterm=""))[2:])


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(journal)
    app.command()(replay)
