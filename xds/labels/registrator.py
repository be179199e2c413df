"""Registrator's `SERVICE_*`, in labels and in the environment, as ours.

`SERVICE_NAME`, `SERVICE_TAGS`, checks, and whatever else is called `SERVICE_X` as free metadata `x`, as Registrator has
it. A key for one port (`SERVICE_9000_NAME`) is a named port here, since a container is an instance of one service.
Source: the user guide of gliderlabs/registrator, "Services".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from xds.labels import table
from xds.labels.keys import AnyKey
from xds.labels.translation import Translation, plain

PREFIX: Final = "SERVICE_"
_OF_PORT: Final = re.compile(r"SERVICE_(\d{1,5})_(\w+)\Z")
_PLAIN: Final[Mapping[str, AnyKey]] = MappingProxyType(
    {
        "TAGS": table.TAGS, "VERSION": table.VERSION, "REGION": table.REGION, "WEIGHT": table.WEIGHT,
        "CHECK_HTTP": table.HTTP, "CHECK_INTERVAL": table.INTERVAL, "CHECK_TIMEOUT": table.TIMEOUT_,
    }
)  # fmt: skip
_OTHERS: Final = MappingProxyType(
    {
        "ID": "ids are made of the service and the container",
        "CHECK_HTTPS": "checks speak HTTP; fairlead.health.tcp: true",
        "CHECK_SCRIPT": "nothing here runs commands; a HEALTHCHECK of the image counts by itself",
        "CHECK_CMD": "nothing here runs commands; a HEALTHCHECK of the image counts by itself",
        "CHECK_TTL": "a heartbeat is the lease of an instance that registers itself",
        "CHECK_INITIAL_STATUS": "nobody is well before it was asked",
        "CHECK_DEREGISTER_AFTER": "a container that is gone is removed at once",
        "CHECK_HTTP_METHOD": "checks are GET",
    }
)


def translate(said: Mapping[str, str]) -> Translation:
    """Return `SERVICE_*` as ours; the environment and the labels of a container are read alike."""
    found = Translation()
    ours = {name: value for name, value in sorted(said.items()) if name.startswith(PREFIX)}
    if not ours:
        return found
    if "SERVICE_IGNORE" in ours:  # whatever it says
        found.say(table.ENABLE, "false", "SERVICE_IGNORE")
        return found
    _Reader(ours, found).read()
    return found


class _Reader:
    def __init__(self, said: Mapping[str, str], found: Translation) -> None:
        self._said, self._found = said, found
        self._ports = dict.fromkeys(of_port[1] for name in said if (of_port := _OF_PORT.match(name)))

    def read(self) -> None:
        """Say a service's name first: without one there is nothing to opt in."""
        first = next(iter(self._ports), "")
        name = next((each for each in ("SERVICE_NAME", f"SERVICE_{first}_NAME") if each in self._said), "")
        if name:
            self._found.say(table.SERVICE, plain(self._said[name]), name)
        for port in self._ports:
            origin = next(each for each in self._said if each.startswith(f"{PREFIX}{port}_"))
            if port == first:
                self._found.say(table.PORT_, port, origin)
            else:
                self._found.say(table.PORTS, port, origin, plain(self._said.get(f"{PREFIX}{port}_NAME", port)))
        for label, value in self._said.items():
            of_port = _OF_PORT.match(label)
            field = of_port[2] if of_port else label.removeprefix(PREFIX)
            if field != "NAME":
                self._field(label, field, value, "" if of_port is None or of_port[1] == first else of_port[1])

    def _field(self, label: str, field: str, value: str, other_port: str) -> None:
        if other_port:
            self._found.leave(label, f"only the first port has facts of its own, and {other_port} is another one")
        elif field in _PLAIN:
            self._found.say(_PLAIN[field], value, label)
        elif field == "CHECK_TCP":
            self._found.say(table.TCP, "true", label)
        elif field == "CHECK_GRPC":
            self._found.say(table.GRPC, value if value not in {"", "true"} else "*", label)
        elif field in _OTHERS:
            self._found.leave(label, _OTHERS[field])
        elif field.startswith("CHECK_"):
            self._found.leave(label, "no check here does that")
        else:
            self._found.say(table.META, value, label, field.lower())
