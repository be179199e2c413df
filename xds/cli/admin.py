"""The part of Envoy's admin interface that ending it without loss needs. Loopback only, standard library only."""

from __future__ import annotations

import http.client
import json
import re
from typing import Final

from xds.model.instance import Address

_TIMEOUT_S: Final = 2.0
_ACTIVE: Final = r"^(listener|http)\..*\.downstream_(cx|rq)_active$"
_STAT: Final = re.compile(r"(?P<kind>listener|http)\.(?P<scope>.*)\.downstream_(?P<what>cx|rq)_active\Z")


class Admin:
    """One Envoy's admin interface. Every call raises OSError when it does not answer."""

    def __init__(self, address: Address) -> None:
        """Keep the address; each call connects by itself."""
        self._address = address

    def is_ready(self) -> bool:
        """Say whether Envoy has its first configuration and serves."""
        return self._ask("GET", "/ready")[0] == http.client.OK

    def start_drain(self) -> None:
        """Ask clients to go elsewhere: health checks fail, and after the drain time the listeners close.

        `healthcheck/fail` closes each HTTP connection after its present request at once. `drain_listeners?graceful`
        goes on accepting for --drain-time-s and stops listening then; open connections stay.
        """
        self._ask("POST", "/healthcheck/fail")
        self._ask("POST", "/drain_listeners?graceful")

    def in_flight(self) -> int:
        """Return what would be cut by ending Envoy now: HTTP requests, and connections that are not HTTP."""
        status, body = self._ask("GET", f"/stats?format=json&filter={_ACTIVE}")
        if status != http.client.OK:
            raise OSError(f"admin answered {status}")
        return count(json.loads(body).get("stats", []))

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        link = http.client.HTTPConnection(self._address.host, self._address.port, timeout=_TIMEOUT_S)
        try:
            link.request(method, path)
            answer = link.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            link.close()


def count(stats: list[dict[str, object]]) -> int:
    """Return requests plus non-HTTP connections in Envoy's statistics, its own admin interface left out.

    A listener counts all connections, `http.<prefix>` the HTTP ones among them; idle ones of those hold nothing.
    """
    connections = http_connections = requests = 0
    for stat in stats:
        found = _STAT.match(str(stat.get("name", "")))
        if found is None or found["scope"].startswith("admin") or ".worker_" in f".{found['scope']}.":
            continue
        value = int(str(stat.get("value", 0)))
        if found["kind"] == "listener":
            connections += value if found["what"] == "cx" and ".main_thread" not in found["scope"] else 0
        elif found["what"] == "cx":
            http_connections += value
        else:
            requests += value
    return requests + max(0, connections - http_connections)
