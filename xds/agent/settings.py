"""What `fairlead agent` is told: flags over a file over environment over defaults, checked before anything is opened.

A file has the fields below by name; how it is written is known elsewhere (`xds/cli/config`).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from xds.labels.describe import ANYTHING, Claims
from xds.labels.dialect import Dialect, Reading
from xds.model.duration import read_duration
from xds.model.instance import MAX_TTL, check_host
from xds.model.names import check_id
from xds.model.problems import InvalidInput
from xds.sources.docker.addresses import LOOPBACK, Standpoint
from xds.sources.docker.endpoint import SOCKET, Endpoint

LEAST_TTL: Final = 3.0
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9._-]+")
_FLAGS: Final = {"true": True, "false": False}
_ENVIRONMENT: Final = {
    "docker": "DOCKER_HOST",
    "certificates": "DOCKER_CERT_PATH",
    "id": "FAIRLEAD_AGENT_ID",
    "address": "FAIRLEAD_AGENT_ADDRESS",
    "region": "FAIRLEAD_AGENT_REGION",
    "zone": "FAIRLEAD_AGENT_ZONE",
    "data_dir": "FAIRLEAD_AGENT_DATA_DIR",
    "dialects": "FAIRLEAD_AGENT_DIALECTS",
}


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Settings of one agent.

    `docker` are its engines, `certificates` the folder for those over TLS. `address` is this host's, as Envoys know it;
    `remote` says that they are on other hosts, `networks` which of the engine's networks they share. `envs` and
    `services` are what labels may claim here, None for anything; `dialects` whose labels are read besides ours. `ttl`
    is the lease of what is registered, in seconds. With `central_checks` the control plane goes on checking what is
    registered; it has to reach it, then.
    """

    docker: tuple[str, ...] = (SOCKET,)
    certificates: str = ""
    id: str = ""
    address: str = LOOPBACK
    remote: bool = False
    networks: tuple[str, ...] = ()
    envs: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    dialects: tuple[str, ...] = ()
    region: str = ""
    zone: str = ""
    ttl: float = 15.0
    central_checks: bool = False
    data_dir: Path = Path("fairlead-agent")

    def __post_init__(self) -> None:
        """Refuse what cannot work, with the field as pointer."""
        if not self.docker:
            raise InvalidInput("an agent follows one engine at least", pointer="/docker")
        check_host(self.address, pointer="/address")
        if self.remote and self.address == LOOPBACK:
            raise InvalidInput(
                "Envoys on other hosts need this host's address: say it with --address", pointer="/address"
            )
        if not LEAST_TTL <= self.ttl <= MAX_TTL:  # NaN fails both comparisons
            raise InvalidInput(f"ttl {self.ttl:g} is not between {LEAST_TTL:g} and {MAX_TTL:g}", pointer="/ttl")
        if unknown := sorted(set(self.dialects) - set(Dialect)):
            raise InvalidInput(f"{unknown[0]!r} is no dialect; there are {', '.join(Dialect)}", pointer="/dialects")
        for name in ("id", "region", "zone"):
            if value := getattr(self, name):
                check_id(value, pointer=f"/{name}", what=name)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return its engines; InvalidInput for what is none."""
        return tuple(Endpoint.parse(each, self.certificates) for each in self.docker)

    @property
    def stamps(self) -> tuple[int, ...]:
        """Return what is other once certificates of its engines are."""
        return tuple(stamp for each in self.endpoints for stamp in each.stamps)

    def check(self) -> None:
        """Refuse engines, or certificates, that cannot be used; nothing is opened."""
        for each in self.endpoints:
            each.transport()

    @property
    def stand(self) -> Standpoint:
        """Return from where Envoys look."""
        return Standpoint(self.address, self.remote, self.networks)

    @property
    def reading(self) -> Reading:
        """Return how labels are read: what they may claim, and in which dialects."""
        known = (None if each is None else frozenset(each) for each in (self.envs, self.services))
        claims = ANYTHING if self.envs is None and self.services is None else Claims(*known)
        return Reading(claims, tuple(map(Dialect, self.dialects)))

    @property
    def name(self) -> str:
        """Return its id; the host's name where none was given."""
        return self.id or _NOT_IN_IDS.sub("-", socket.gethostname().lower())[:128].strip("-._") or "agent"

    @classmethod
    def read(
        cls, env: Mapping[str, str], flags: Mapping[str, object], file: Mapping[str, object] | None = None
    ) -> AgentSettings:
        """Return the settings of flags (None = not given) over a file's over `env` over the defaults; InvalidInput."""
        told: dict[str, object] = {name: env[key] for name, key in _ENVIRONMENT.items() if env.get(key)}
        told |= file or {}
        told |= {name: value for name, value in flags.items() if value is not None}
        read = {name: _read(name, value) for name, value in told.items()}
        return replace(cls(), **read)  # type: ignore[arg-type]  # by name, each of its own type


def _read(name: str, value: object) -> object:
    """Return a setting as its field has it; InvalidInput for another kind of value."""
    if name == "ttl":
        try:
            return read_duration(value)
        except ValueError as error:
            raise InvalidInput(str(error), pointer="/ttl") from None
    if name in {"remote", "central_checks"}:
        found = value if isinstance(value, bool) else _FLAGS.get(value) if isinstance(value, str) else None
        if found is None:
            raise InvalidInput(f"{value!r} is neither true nor false", pointer=f"/{name}")
        return found
    if name in {"docker", "networks", "envs", "services", "dialects"}:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise InvalidInput(f"{name} is a list of texts", pointer=f"/{name}")
        return tuple(part.strip() for part in parts if part.strip())
    if not isinstance(value, str | Path):
        raise InvalidInput(f"{name} is a text, not {value!r}", pointer=f"/{name}")
    return Path(value) if name == "data_dir" else str(value)
