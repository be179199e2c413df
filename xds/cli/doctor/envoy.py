"""The Envoy beside this place: its program, its admin interface, and whether it listens to this control plane."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from xds.cli.binary import INSTALL, check_version, find_envoy
from xds.cli.doctor.finding import Finding, error, note, ok, warning
from xds.cli.exits import Failed
from xds.model.instance import Address

PATIENCE: Final = 3.0
Json = dict[str, Any]


def program(env: Mapping[str, str]) -> Finding:
    """Look at the Envoy that `fairlead envoy` would start."""
    about = "envoy program"
    try:
        binary = find_envoy("", env)
        return ok(about, f"Envoy {check_version(binary)} ({binary})")
    except Failed as problem:
        says, fix = str(problem).removesuffix(INSTALL).rstrip(" :;"), INSTALL
        if "there is no Envoy" in says:
            return note(about, "there is none on this host, which is fine where an image brings it", fix)
        return error(about, says, fix)


def running(admin: Address, *, asked: bool) -> tuple[str, list[Finding]]:
    """Look at a running Envoy; returns its node id, "" where none answers. `asked` says that one is expected."""
    about = "envoy"
    try:
        info = _ask(admin, "/server_info")
    except OSError as problem:
        says = f"no Envoy's admin interface answers at {admin}: {(problem.strerror or str(problem)).lower()}"
        fix = "name it with --admin ADDR:PORT; it listens on loopback only, so ask from its own host or network"
        return "", [error(about, says, fix) if asked else note(about, says, fix)]
    except ValueError:
        says = f"something answers at {admin}, and it is not an Envoy's admin interface"
        return "", [error(about, says, "name the admin interface with --admin ADDR:PORT")]
    node = str((info.get("node") or {}).get("id") or "")
    number = "/".join(str(info.get("version", "")).split("/")[1:2])
    state = str(info.get("state", ""))
    if state != "LIVE":
        fix = "it waits for its first configuration: see whether it reaches the control plane, below"
        return node, [warning(about, f"Envoy {number} is {state.lower().replace('_', ' ')}, node {node}", fix)]
    return node, [ok(about, f"Envoy {number} is live, node {node}")]


def connected(admin: Address, node: str, server: str, token: str) -> Iterator[Finding]:
    """Say whether a running Envoy has a stream to the control plane at `server`, and what each says of the other."""
    about = "envoy's stream"
    try:
        where, stands = _ads_of(admin), _is_connected(admin)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = httpx.get(f"{server}/v1/nodes/{node}", headers=headers, timeout=PATIENCE, trust_env=False)
        known = answer.json() if answer.is_success else {}
    except (OSError, ValueError, httpx.HTTPError) as problem:
        yield warning(about, f"it cannot be told: {problem}", "mend what stands above first")
        return
    if known.get("connected"):
        refused = [f"{name}: {held['nack']['message']}" for name, held in known["types"].items() if held.get("nack")]
        if refused:
            fix = f"`fairlead get node {node}` shows all of it; mend the object that it names"
            yield warning(about, f"node {node} is connected, and refuses {'; '.join(refused)}", fix)
        else:
            yield ok(about, f"node {node} is connected to this control plane")
    elif stands:
        fix = f"give it the ADS of this one (fairlead envoy --ads), or ask the other one: it connects to {where}"
        yield error(about, f"node {node} is connected to a control plane, and not to this one", fix)
    else:
        fix = f"it tries {where}: see that a control plane's ADS (port 15010) is there and reachable from it, that its "
        fix += "bootstrap carries the token, and what its log says of the stream"
        yield error(about, f"node {node} has no stream to any control plane", fix)


def _ads_of(admin: Address) -> str:
    """Return where its bootstrap sends its stream."""
    dump = _ask(admin, "/config_dump?mask=bootstrap.static_resources.clusters")
    found = [
        f"{at.get('address')}:{at.get('port_value')}"
        for section in dump.get("configs", [])
        for cluster in section.get("bootstrap", {}).get("static_resources", {}).get("clusters", [])
        for group in cluster.get("load_assignment", {}).get("endpoints", [])
        for each in group.get("lb_endpoints", [])
        if (at := each.get("endpoint", {}).get("address", {}).get("socket_address"))
    ]
    return ", ".join(dict.fromkeys(found)) or "what its bootstrap names"


def _is_connected(admin: Address) -> bool:
    stats = _ask(admin, "/stats?format=json&filter=^control_plane.connected_state$").get("stats", [])
    return any(each.get("name") == "control_plane.connected_state" and each.get("value") == 1 for each in stats)


def _ask(admin: Address, path: str) -> Json:
    """Return a document of the admin interface; OSError without an answer, ValueError for another kind of one."""
    link = http.client.HTTPConnection(admin.host, admin.port, timeout=PATIENCE)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        found = json.loads(answer.read())
    except http.client.HTTPException as problem:
        raise ValueError(str(problem)) from problem
    finally:
        link.close()
    if not isinstance(found, dict) or answer.status != http.client.OK:
        message = f"HTTP {answer.status}"
        raise ValueError(message)
    return found
