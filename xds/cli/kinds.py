"""The kinds of objects that there are to read: how the table of each looks, and how one is found in it.

Knows the documents of `GET /v1/{kind}`; `get`, `watch` and `explain` print them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from xds.cli import nodes
from xds.cli.breaker_table import BREAKERS
from xds.cli.exits import Exit, Failed
from xds.cli.output import Cell, Row, field, text, weights

SAFE_IN_PATH: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
SAFE_OF_ENGINES: Final = SAFE_IN_PATH | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What names of containers are made of."""


def _address(row: Row) -> str:
    host = str(row.get("address", ""))
    return f"[{host}]:{row.get('port')}" if ":" in host else f"{host}:{row.get('port')}"


def _hosts(row: Row) -> str:
    return text(row.get("hosts"))


def _path(row: Row) -> str:
    return (
        " ".join(f"{kind} {value}" for kind, value in cast("dict[str, object]", row.get("path") or {}).items()) or "-"
    )


def _goes_to(row: Row) -> str:
    return weights(row["split"]) if row.get("split") else str(row.get("subset") or "by the service's split")


def _listeners(row: Row) -> str:
    found = cast("list[dict[str, object]]", row.get("listeners") or [])
    return ", ".join(_address(listener) for listener in found) or "-"


def _gate(row: Row) -> str:
    gate = cast("dict[str, object]", row.get("gate") or {})
    return f"{gate.get('acked', 0)} of {gate.get('live', 0)}"


def _says(row: Row) -> str:
    fields = ("timeout", "retry", "breaker", "limits", "allow_from", "mirror")
    return text([name for name in fields if row.get(name) is not None])


def _laid_on(row: Row) -> str:
    return f"{row['service']} {row['version']}" if row.get("service") else text(row.get("selector"))


def _lease(row: Row) -> str:
    return text(cast("Row", row.get("lease") or {}).get("expires_in"))


def _check(row: Row) -> str:
    check = cast("Row", row.get("check") or {})
    return f"{check['kind']} every {check['interval']}" if check else "-"


def _plan(row: Row) -> str:
    return ",".join(f"{step['weight']} %" for step in cast("list[Row]", row.get("plan") or [])) or "-"


def _percent(row: Row) -> str:
    return f"{row.get('weight')} %"


@dataclass(frozen=True, slots=True)
class Listed:
    """One kind of object: how its table looks, and whether its names live inside an environment.

    What is not `by_name` is listed and has no page of its own; `named` is the field that a name is compared with.
    `wide` are columns that only `-o wide` shows; `keys` the fields that tell one object from the others. What is
    `declared` has revisions, and events tell of it; the others are observed.
    """

    one: str
    columns: Mapping[str, Cell]
    wide: Mapping[str, Cell] | None = None
    keys: tuple[str, ...] = ("id",)
    declared: bool = False
    in_env: bool = True
    named: str = "object"
    selectable: bool = False
    removable: bool = True
    by_name: bool = True

    def key(self, row: Row) -> str:
        """Return what tells an object from the others of its kind, as events spell it where it has any."""
        return "/".join(str(row.get(each)) for each in self.keys)

    def shown(self, *, wide: bool) -> Mapping[str, Cell]:
        """Return the columns of its table."""
        return {**self.columns, **(self.wide or {})} if wide else self.columns


KINDS: Final[Mapping[str, Listed]] = {
    "instances": Listed(
        "instance",
        {
            "id": field("id"), "service": field("service"), "version": field("version"), "address": _address,
            "weight": field("weight"), "zone": field("zone"), "health": field("health"), "labels": field("labels"),
            "drift": lambda row: text(list(cast("dict[str, object]", row.get("drift") or {}))),
        },
        {
            "env": field("env"), "region": field("region"), "ports": field("ports"), "epoch": field("epoch"),
            "lease": _lease, "check": _check, "owner": field("owner"), "revision": field("revision"),
        },
        declared=True,
        selectable=True,
    ),
    "services": Listed(
        "service",
        {
            "name": field("name"), "protocol": field("protocol"), "stable": field("stable"),
            "split": lambda row: weights(row.get("split")), "instances": field("instances"), "owner": field("owner"),
        },
        {
            "env": field("env"), "timeout": field("timeout"), "split key": field("split_key"),
            "revision": field("revision"),
        },
        keys=("env", "name"), declared=True,
    ),
    "routes": Listed(
        "route",
        {
            "name": field("name"), "hosts": _hosts, "path": _path, "methods": field("methods"),
            "priority": field("priority"), "goes to": _goes_to, "owner": field("owner"),
        },
        {"env": field("env"), "service": field("service"), "says": _says, "revision": field("revision")},
        keys=("env", "name"), declared=True,
    ),
    "gateways": Listed(
        "gateway",
        {"name": field("name"), "listeners": _listeners, "hosts": _hosts, "owner": field("owner")},
        {"env": field("env"), "revision": field("revision")},
        keys=("env", "name"), declared=True,
    ),
    "rollouts": Listed(
        "rollout",
        {
            "id": field("id"), "service": field("service"), "version": field("version"), "weight": _percent,
            "state": field("state"), "acked": _gate, "reason": field("reason"),
        },
        {
            "env": field("env"), "phase": field("phase"), "stable": field("stable"), "step": field("step"),
            "plan": _plan, "owner": field("owner"), "revision": field("revision"),
        },
        declared=True,
    ),
    "policies": Listed(
        "policy",
        {
            "name": field("name"), "selector": field("selector"), "priority": field("priority"), "says": _says,
            "services": field("services"), "owner": field("owner"),
        },
        {"env": field("env"), "revision": field("revision")},
        keys=("env", "name"), declared=True,
    ),
    "overlays": Listed(
        "overlay",
        {
            "id": field("id"), "act": field("act"), "on": _laid_on, "weight": field("weight"),
            "instances": field("instances"), "ends in": field("expires_in"), "owner": field("owner"),
            "reason": field("reason"),
        },
        {"env": field("env"), "revision": field("revision")},
        declared=True,
    ),
    "nodes": Listed("node", nodes.LISTED, nodes.WIDE, removable=False),
    "agents": Listed(
        "agent",
        {
            "id": field("id"), "ip": field("ip"), "role": field("role"), "version": field("version"),
            "state": field("state"), "last seen": field("last_seen"), "lag": field("lag"),
        },
        {
            "epoch": field("epoch"), "seq": field("seq"), "ttl": field("ttl"), "silent": field("silent"),
            "clock off": field("clock_off"),
        },
        in_env=False,
    ),
    "containers": Listed(
        "container",
        {
            "name": field("name"), "id": lambda row: str(row.get("id"))[:12], "agent": field("agent"),
            "service": field("service"), "version": field("version"), "address": field("address"),
            "standing": field("standing"), "why": field("why"),
        },
        {
            "image": field("image"), "instance": field("instance"), "way": field("way"),
            "rejected": field("rejected"), "agent is": field("agent_state"),
        },
        keys=("agent", "id"),
        in_env=False, removable=False,
    ),
    "breakers": Listed("breaker", BREAKERS, keys=("env", "cluster"), named="service", removable=False, by_name=False),
    "alarms": Listed(
        "alarm",
        {"priority": field("priority"), "kind": field("kind"), "object": field("object"), "since": field("since"),
         "message": field("message")},
        keys=("kind", "object"), in_env=False, removable=False, by_name=False,
    ),
    "problems": Listed(
        "problem",
        {"severity": field("severity"), "kind": field("kind"), "object": field("object"),
         "field": field("pointer"), "message": field("message")},
        keys=("kind", "object", "pointer"), in_env=False, removable=False, by_name=False,
    ),
}  # fmt: skip


ALL: Final = " or ".join((", ".join([*KINDS][:-1]), [*KINDS][-1]))
"""Every kind, as a sentence lists them."""


def kind_of(word: str) -> str:
    """Return the plural of a kind that was written in either number; Failed, with a suggestion, for another word."""
    for plural, listed in KINDS.items():
        if word in {plural, listed.one}:
            return plural
    near = difflib.get_close_matches(word, KINDS, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise Failed(f"{word!r} is not one of {', '.join(KINDS)}{hint}", Exit.INVALID)


def path_of(plural: str, name: str) -> str:
    """Return the URL path of one object; Failed for a name that can be none."""
    if not name or not set(name) <= (SAFE_OF_ENGINES if plural == "containers" else SAFE_IN_PATH):
        raise Failed(f"{name!r} is no name: use a-z, 0-9, '.', '_' and '-'", Exit.INVALID)
    return f"/v1/{plural}/{name}"
