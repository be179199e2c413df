"""One container's labels, and what the engine knows of it, as a description: the way in.

    describe(labels, container) -> Described(description | None, problems, wanted)

It never raises, whatever the labels hold: a mistake costs what it is about (a facet), and only one in what a
container *is* costs the container. Nobody else is touched by it. Section 2.2 of the grammar is in `table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xds.labels import table
from xds.labels.canary import canary
from xds.labels.description import DEFAULT_DRAIN, Container, Described, Description
from xds.labels.health import health
from xds.labels.keys import PREFIX
from xds.labels.policy import service_labels
from xds.labels.reading import ALIAS, Found, ours_among, read
from xds.labels.routes import routes
from xds.labels.values import FLAG, check_text
from xds.model.instance import DEFAULT_PORT, DEFAULT_VERSION, DEFAULT_WEIGHT, MAX_PORTS
from xds.model.labels import MAX_KEY, MAX_LABELS, MAX_TOTAL, check_labels
from xds.model.names import DEFAULT_ENV, ServiceKey, check_id
from xds.model.problems import InvalidInput
from xds.model.reach import covers

COMPOSE_PROJECT: Final = "com.docker.compose.project"
COMPOSE_SERVICE: Final = "com.docker.compose.service"
IMAGE_VERSION: Final = "org.opencontainers.image.version"
MAX_DRAIN: Final = 3600.0
META_KEYS: Final = MAX_LABELS // 2
META_TOTAL: Final = MAX_TOTAL // 2
"""Of the metadata: the rest of it is for what is found of a container."""
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9._-]+")
_TAG: Final = re.compile(r":([A-Za-z0-9_][A-Za-z0-9._-]{0,127})\Z")
_SHORT_DIGEST: Final = 12


@dataclass(frozen=True, slots=True)
class Claims:
    """What labels may claim on this host: environments and services by name (`shop` is `shop.…`, too); None is any.

    A label is written by whoever starts a container. Where that is not whoever runs the host, these are the walls.
    """

    envs: frozenset[str] | None = None
    services: frozenset[str] | None = None

    def refusal(self, service: ServiceKey) -> str:
        """Return why a container may not say that it is a service's, or nothing."""
        if self.envs is not None and service.env not in self.envs:
            return f"this host may not register anything in the environment {service.env!r}"
        if self.services is not None and not covers(self.services, service.name):
            return f"this host may not register instances of {service.name!r}"
        return ""


ANYTHING: Final = Claims()


def describe(labels: Mapping[str, str], container: Container, claims: Claims = ANYTHING) -> Described:
    """Return what a container comes to; without a description the problems say why, if it wanted one."""
    ours = ours_among(labels)
    if not ours:
        return Described(None)
    found = Found(container.name or container.id)
    if not _opted_in(ours, found):
        return Described(None, tuple(found.problems))
    found = read(labels, container.name or container.id)
    service = _service(found, labels, claims)
    version = _version(found, labels, container)
    ports = _ports(found, container)
    network = _network(found, labels, container)
    if service is None:
        return Described(None, tuple(found.problems), wanted=True)
    check, awaits_engine = health(found, container)
    policy = service_labels(found)
    weight = found.one(table.WEIGHT)
    description = Description(
        container=container,
        service=service,
        version=version,
        ports=ports,
        weight=DEFAULT_WEIGHT if weight is None else weight,
        region=found.one(table.REGION) or "",
        zone=found.one(table.ZONE) or "",
        labels=_carried(labels, found),
        metadata=_metadata(found),
        network=network,
        address=found.one(table.ADDRESS_) or "auto",
        ingress=found.one(table.INGRESS_),
        check=check,
        awaits_engine=awaits_engine,
        drain=_drain(found),
        policy=policy,
        routes=routes(found, service, policy.protocol, ports),
        canary=canary(found, version, policy.protocol),
    )
    return Described(None if found.refused else description, tuple(found.problems), wanted=True)


def _opted_in(ours: Mapping[str, str], found: Found) -> bool:
    """Say whether a container wants to be registered; labels that nobody will read are a mistake worth telling."""
    said = ours.get(table.ENABLE.label)
    if said is None:
        if table.SERVICE.label not in ours:
            words = f"it has labels of Fairlead, but neither {table.ENABLE.label} nor {table.SERVICE.label}"
            found.note(min(ours), f"{words}; it is left alone")
        return table.SERVICE.label in ours
    try:
        return FLAG.read(check_text(said.strip()))
    except InvalidInput as error:
        found.note(table.ENABLE.label, f"{error.message}; it is left alone")
        return False


def _service(found: Found, labels: Mapping[str, str], claims: Claims) -> ServiceKey | None:
    name = found.one(table.SERVICE)
    if name is None and not found.refused:
        name = _NOT_IN_IDS.sub("-", labels.get(COMPOSE_SERVICE, "")[:128].lower()).strip("-._")
        if not name:
            found.refuse(
                "", f"nothing says which service it is of: neither {table.SERVICE.label} nor {COMPOSE_SERVICE}"
            )
    if not name:
        return None
    service = ServiceKey(found.one(table.ENV) or DEFAULT_ENV, name)
    if refusal := claims.refusal(service):
        found.refuse(table.SERVICE.label, refusal)
        return None
    return service


def _version(found: Found, labels: Mapping[str, str], container: Container) -> str:
    """Return the version: as labelled, else of the image's own label, its tag, or its digest."""
    said = found.one(table.VERSION)
    if said is not None:
        return said
    tag = _TAG.search(container.image.partition("@")[0])
    known = [labels.get(IMAGE_VERSION, ""), tag[1] if tag and tag[1] != "latest" else ""]
    known.append((container.digest or container.image.partition("@")[2]).rpartition(":")[2][:_SHORT_DIGEST])
    found_names = (_NOT_IN_IDS.sub("-", each[:128].lower()).strip("-._") for each in known)
    return next(filter(None, found_names), DEFAULT_VERSION)


def _ports(found: Found, container: Container) -> dict[str, int]:
    """Return the ports by name, its own first; several that are exposed are no answer, and none is none."""
    named = found.named(table.PORTS)
    own = found.one(table.PORT_)
    if own is None and table.PORT_.name not in found.lost:
        left = sorted(set(container.ports) - set(named.values()))
        own = left[0] if len(left) == 1 else None
        if own is None and not named:
            exposed = f"it exposes {', '.join(map(str, left))}" if left else "it exposes none"
            found.refuse("", f"nothing says which port is its own: {exposed}, and there is no {table.PORT_.label}")
    ports = {**({} if own is None else {DEFAULT_PORT: own}), **named}
    if len(ports) > MAX_PORTS:
        found.refuse("", f"{len(ports)} ports, at most {MAX_PORTS} are allowed")
    for name, number in ports.items():
        label = table.PORT_.label if name == DEFAULT_PORT else table.PORTS.at(name)
        try:
            check_id(name, pointer="", what="port name")
        except InvalidInput as error:
            found.refuse(label, error.message)
        if container.ports and number not in container.ports:
            others = ", ".join(map(str, sorted(container.ports)))
            found.note(label, f"{number} is not among the ports that its image exposes ({others})")
    return ports


def _drain(found: Found) -> float:
    seconds = found.one(table.DRAIN)
    if seconds is None:
        return DEFAULT_DRAIN
    if seconds > MAX_DRAIN:
        found.lose(table.DRAIN, (), f"{seconds:g} s is more than an hour")
        return DEFAULT_DRAIN
    return seconds


def _network(found: Found, labels: Mapping[str, str], container: Container) -> str:
    """Return the network as the engine calls it: a compose file's own name of it stands there behind the project's."""
    said = found.one(table.NETWORK) or ""
    names = (said, f"{labels.get(COMPOSE_PROJECT, '')}_{said}")
    if not said or not container.networks:
        return said
    for name in names:
        if name in container.networks:
            return name
    others = ", ".join(sorted(container.networks))
    found.refuse(table.NETWORK.label, f"it is not in the network {said!r}; it is in {others}")
    return said


def _metadata(found: Found) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in found.named(table.META).items():
        if len(kept) == META_KEYS or sum(map(len, (*kept, *kept.values(), name, value))) > META_TOTAL:
            words = f"more than {META_KEYS} of them, or {META_TOTAL} characters in all, are not kept"
            found.lose(table.META, (name,), words)
            continue
        try:
            kept = check_labels({**kept, name: value}, pointer="")
        except InvalidInput as error:
            found.lose(table.META, (name,), error.message)
    return kept


def _carried(labels: Mapping[str, str], found: Found) -> dict[str, str]:
    """Return what selectors will see: every label that can be kept, Fairlead's before others, and a label for each tag.

    A label of somebody else that cannot be kept (a description of several lines) is no mistake, and nobody misses it.
    """
    ours = ours_among(labels)
    tags = {f"tag.{tag}": "true" for tag in found.one(table.TAGS) or ()}
    others = {label: value for label, value in sorted(labels.items()) if not label.startswith((PREFIX, ALIAS))}
    kept: dict[str, str] = {}
    room = MAX_TOTAL
    for label, value in (*sorted(ours.items()), *tags.items(), *others.items()):
        size = len(label) + len(value)
        if len(kept) == MAX_LABELS or size > room or len(label) > MAX_KEY:
            continue
        try:
            kept |= check_labels({label: check_text(value)}, pointer="")
        except InvalidInput:
            continue
        room -= size
    return kept
