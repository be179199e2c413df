"""One container on one screen, in the order of its way: labels, address, probe, health, subset, weight, Envoys.

Knows the document of `GET /v1/containers/{name}:explain`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import typer

from xds.cli.health_words import decided
from xds.cli.output import Cell, Row, console_print, field, table, text, weights

Line = tuple[str, str]

WIDTH: Final = 10
ENVOYS: Final[dict[str, Cell]] = {
    "envoy": field("node"), "endpoints": field("endpoints"), "weights acked": lambda row: weights(row.get("acked")),
    "says": field("message"),
}  # fmt: skip


def print_container(found: Row) -> None:
    """Print a container explained."""
    for name, words in _lines(found):
        typer.echo(f"{name:<{WIDTH}} {words}".rstrip())
    envoys = _envoys(found)
    if envoys:
        typer.echo()
        console_print(table(ENVOYS, envoys))


def _lines(found: Row) -> Iterator[Line]:
    container = _row(found, "container")
    yield from _who(container)
    yield from _where(container)
    member = _row(found, "instance")
    if not member:
        if container["standing"] == "registered":
            yield "instance", f"{container['instance']} is not known to the control plane (any more)"
        return
    yield from _traffic(found, container, member)


def _who(container: Row) -> Iterator[Line]:
    short = str(container["id"])[:12]
    yield "container", f"{text(container['name'])} ({short})  image {text(container['image'])}"
    age = "" if container["agent_state"] == "alive" else f", which is {container['agent_state']}: all of this is old"
    yield "seen by", f"agent {container['agent']}{age}"
    known = _row(container, "labels").items()
    yield "labels", "  ".join(f"{label}={value}" for label, value in known) or "none of Fairlead's"
    for problem in cast("list[Row]", container["problems"]):
        yield "", f"{text(problem['pointer'])}: {problem['message']}"
    if container["standing"] == "registered":
        yield "stands", "registered"
    else:
        yield "stands", f"not registered, {container['standing']}: {container['why']}"


def _where(container: Row) -> Iterator[Line]:
    rejected = cast("list[str]", container["rejected"])
    if container["address"]:
        yield "address", f"{container['address']}  ({container['way']})"
    elif rejected:
        yield "address", "none yet"
    for place in rejected:
        yield "", f"not {place}"
    if container["service"]:
        yield "probe", _probe(container)


def _probe(container: Row) -> str:
    check = _row(container, "check")
    words = "none: it counts as ready when it runs"
    if check:
        port = f" on port {check['port']}" if check["port"] else ""
        path = f" {check['path']}" if check["kind"] == "http" else ""
        words = f"{check['kind']}{path}{port} every {check['interval']}, {check['rise']} good answers in a row"
    said = container["healthcheck"]
    return f"{words}; its HEALTHCHECK says {said}" if said else words


def _traffic(found: Row, container: Row, member: Row) -> Iterator[Line]:
    lease = _row(found, "lease")
    left = f"  lease {lease['expires_in']} left" if lease else ""
    yield "instance", f"{member['id']}  {container['env']}/{container['service']} {member['version']}{left}"
    verdict = _row(member, "verdict")
    yield "health", f"{member['health']}, decided by {decided(member)}"
    for signal in cast("list[Row]", verdict["signals"]):
        if signal["source"] != verdict["decided_by"]:
            numbers = "".join(f", {name} {number}" for name, number in _row(signal, "numbers").items())
            over = " (overruled)" if signal["source"] in cast("list[str]", verdict["overruled"]) else ""
            yield "", f"{signal['source']} says {signal['health']}: {signal['why']}{numbers}{over}"
    for subset in cast("list[Row]", found["subsets"]):
        of = f"{subset['serving']} of {len(cast('list[str]', subset['members']))} serving"
        yield "subset", f"{subset['name']}  {of}  wanted {subset['wanted']} %, published {subset['effective']} %"
        yield "cluster", text(subset["clusters"])
    rollout = f"  rollout {found['rollout']}" if found["rollout"] else ""
    takes = f"about {found['share']} % of the service's requests" if member["serves"] else "no new requests"
    yield "weight", f"{member['weight']}: {takes}{rollout}"
    for name in ("leaving", "held"):
        if member[name]:
            yield "", f"it is {name}: gone, and still in Envoys until that is safe"
    if member["overlays"]:
        yield "overlays", text(member["overlays"])
    for problem in cast("list[Row]", found["problems"]):
        yield "problem", f"{problem['object']} {problem['pointer']}: {problem['message']}"
    if not found["endpoints"]:
        yield "envoys", "no live Envoy asks for its cluster"


def _envoys(found: Row) -> list[Row]:
    """Return a line for each Envoy that has a cluster of the container, or a route of its service."""
    lines: dict[str, dict[str, object]] = {}
    for each in cast("list[Row]", found["endpoints"]):
        line = lines.setdefault(str(each["node"]), {"node": each["node"]})
        several = [*cast("list[str]", line.get("endpoints") or []), f"{each['cluster']} {each['state']}"]
        line |= {"endpoints": several, "message": each["message"] or line.get("message")}
    for each in cast("list[Row]", found["nodes"]):
        line = lines.setdefault(str(each["node"]), {"node": each["node"]})
        line |= {"acked": each["acked"], "message": line.get("message") or each["message"]}
    return [lines[name] for name in sorted(lines)]


def _row(found: Row, name: str) -> Row:
    return cast("Row", found.get(name) or {})
