"""Who sees a new version beside its share: as options of `canary start`, and in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, cast

import typer

from xds.cli.exits import Exit, Failed
from xds.cli.output import Row

Matches = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        metavar="KIND:NAME=VALUE",
        help="Requests that reach it whatever its weight, as in header:x-canary=insider; may be given several times, "
        "one is enough. VALUE may be ~regex, ^prefix or * (present).",
    ),
]
Mirror = Annotated[
    str, typer.Option("--mirror", metavar="PERCENT", help="Share of all requests that it gets copies of.")
]
_KINDS = {"~": "regex", "^": "prefix"}


def preview_of(matches: Iterable[str], mirror: float) -> dict[str, object] | None:
    """Return the preview as the API takes it, None where nothing is said; Failed (2) for what is no match.

    `mirror` is in percent.
    """
    groups: dict[str, dict[str, object]] = {"header": {}, "cookie": {}}
    for match in matches:
        group, colon, rest = match.partition(":")
        name, equals, value = rest.partition("=")
        if group not in groups or not (colon and name and equals):
            raise Failed(f"--match {match!r} is no match: as in header:x-canary=insider or cookie:beta=*", Exit.INVALID)
        groups[group][name] = _value(value)
    if not (mirror or any(groups.values())):
        return None
    return {"headers": groups["header"], "cookies": groups["cookie"], "mirror": mirror}


def preview_words(rollout: Row) -> list[str]:
    """Return what a rollout's preview shows and copies, a line each; nothing once it is promoted or taken back."""
    on_its_way = rollout.get("phase") in {"shifting", "holding", "paused"}
    found = cast("Row", (on_its_way and rollout.get("preview")) or {})
    shown = [
        f"{kind} {name} {_words(cast('Row', match))}"
        for kind, group in (("header", "headers"), ("cookie", "cookies"))
        for name, match in sorted(cast("Row", found.get(group) or {}).items())
    ]
    lines = [f"beside that {rollout.get('version')} gets requests with {' or '.join(shown)}"] if shown else []
    if found.get("mirror"):
        lines.append(f"beside that {rollout.get('version')} gets copies of {found['mirror']} % of all requests")
    return lines


def _value(text: str) -> dict[str, object]:
    if text in {"*", "!"}:
        return {"present": text == "*"}
    kind = _KINDS.get(text[:1])
    return {"exact": text} if kind is None else {kind: text[1:]}


def _words(match: Row) -> str:
    kind, value = next(iter(match.items()))
    if kind == "present":
        return "present" if value else "absent"
    return f"= {value}" if kind == "exact" else f"of {kind} {value}"
