"""How a container is asked whether it can serve: by its labels, by the engine's own check, or by a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from xds.labels import table
from xds.labels.description import Container
from xds.labels.keys import AnyKey
from xds.labels.reading import Found
from xds.labels.words import DockerHealth
from xds.model.check import Check, CheckKind
from xds.model.problems import InvalidInput

WHOLE_SERVER: Final = "*"
_PLACES: Final[Mapping[str, AnyKey]] = {
    "/path": table.HTTP, "/service": table.GRPC, "/port": table.HEALTH_PORT, "/interval": table.INTERVAL,
    "/timeout": table.TIMEOUT_, "/rise": table.RISE, "/fall": table.FALL, "/start_period": table.GRACE,
}  # fmt: skip


def health(found: Found, container: Container) -> tuple[Check | None, bool]:
    """Return the check of a container, and whether the engine's word counts as well.

    Without a word it is the engine's own check where there is one, else a connection; `health.tcp: false` is neither.
    """
    docker = found.one(table.DOCKER) or DockerHealth.USE
    engine = docker is DockerHealth.REQUIRE or (docker is DockerHealth.USE and container.healthcheck)
    if docker is DockerHealth.REQUIRE and not container.healthcheck:
        found.note(table.DOCKER.label, "its image has no HEALTHCHECK, so it will never be healthy")
    by_default = None if engine else Check(CheckKind.TCP)
    if not found.says("health"):
        return by_default, engine
    try:
        return _check(found, by_default), engine
    except InvalidInput as error:
        found.lose(_PLACES.get(error.pointer, table.HTTP), (), error.message)
        return by_default, engine


def _check(found: Found, by_default: Check | None) -> Check | None:
    path, service, tcp = found.one(table.HTTP), found.one(table.GRPC), found.one(table.TCP)
    said = {CheckKind.HTTP: path is not None, CheckKind.GRPC: service is not None, CheckKind.TCP: tcp is True}
    asked = [kind for kind, wanted in said.items() if wanted]
    if len(asked) > 1:
        raise InvalidInput(f"it is asked in one way, not by {' and '.join(asked)}")
    if not asked and (tcp is False or by_default is None):
        return None
    kind = asked[0] if asked else CheckKind.TCP
    bare = Check(CheckKind.TCP)
    rise, fall = found.one(table.RISE), found.one(table.FALL)
    interval, grace = found.one(table.INTERVAL), found.one(table.GRACE)
    return Check(
        kind,
        port=found.one(table.HEALTH_PORT),
        path=path or bare.path,
        service="" if service in {None, WHOLE_SERVER} else str(service),
        interval=bare.interval if interval is None else interval,
        timeout=found.one(table.TIMEOUT_),
        rise=bare.rise if rise is None else rise,
        fall=bare.fall if fall is None else fall,
        start_period=bare.start_period if grace is None else grace,
    )
