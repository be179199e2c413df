"""Compose files: the labels of each service, with what the file tells of its containers.

Knows the parts of the Compose Specification that matter to labels, and leaves all others to Compose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from xds.cli.documents import Document
from xds.cli.lint.findings import Finding, Level
from xds.cli.lint.interpolation import filled
from xds.cli.lint.labels import LabelSet
from xds.labels.describe import COMPOSE_SERVICE
from xds.labels.description import Container
from xds.labels.keys import PREFIX
from xds.labels.table import PORT_
from xds.model.labels import escape

_PUBLISHED: Final = re.compile(r"(?:(?:.*:)?(\d{1,5}):)?(\d{1,5})(?:/(tcp|udp))?\Z")


def is_compose(document: Document) -> bool:
    """Say whether a document is a compose file."""
    return isinstance(document.value.get("services"), dict) and "kind" not in document.value


def label_sets(document: Document) -> Iterator[LabelSet | Finding]:
    """Yield the labels of each service, and findings where they cannot be read."""
    services = document.value["services"]
    assert isinstance(services, dict)  # noqa: S101 - what is_compose said
    for name, service in services.items():
        place = f"/services/{escape(name)}"
        if not isinstance(service, dict):
            continue
        yield from _of_service(document, name, service, place)
        deploy = service.get("deploy")
        if isinstance(deploy, dict) and "labels" in deploy:
            yield from _of_swarm(document, deploy["labels"], f"{place}/deploy/labels")
        if "label_file" in service:
            words = "its labels are not looked at here; lint that file as well"
            yield Finding.at(document, f"{place}/label_file", Level.NOTICE, words)


def _of_service(
    document: Document, name: str, service: Mapping[str, object], place: str
) -> Iterator[LabelSet | Finding]:
    labels, places, unknown = _pairs(service.get("labels"), f"{place}/labels")
    env, env_places, _ = _pairs(service.get("environment"), f"{place}/environment")
    image, missing = filled(str(service.get("image") or ""))
    container = Container(
        name=str(service.get("container_name") or name),
        image="" if missing else image,
        ports=_exposed(service),
        networks=(),
        healthcheck=_has_check(service.get("healthcheck")),
    )
    labels[COMPOSE_SERVICE] = name
    yield LabelSet(document, place, labels, {**env_places, **places}, container, env, unknown)
    yield from _published(document, service, labels, places)


def _of_swarm(document: Document, labels: object, place: str) -> Iterator[Finding]:
    """Labels under `deploy` are those of a Swarm service; its containers do not have them."""
    found, places, _ = _pairs(labels, place)
    for label in found:
        if label.startswith(PREFIX):
            words = "labels under deploy are on the Swarm service, not on its containers; say them under labels"
            yield Finding.at(document, places[label], Level.WARNING, words, label)


def _published(
    document: Document, service: Mapping[str, object], labels: Mapping[str, str], places: Mapping[str, str]
) -> Iterator[Finding]:
    """A label that names the port on the host, where the container listens on another one (row M20)."""
    said = labels.get(PORT_.label)
    by_host = dict(_mapped(service))
    inside = by_host.get(said or "")
    if inside and said not in by_host.values():
        words = f"{said} is the port on the host; in the container it is {inside}"
        yield Finding.at(document, places[PORT_.label], Level.WARNING, words, PORT_.label)


def _pairs(said: object, place: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return labels or variables of either form, where each stands, and which depend on a variable."""
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    unknown: dict[str, str] = {}
    if isinstance(said, dict):
        items = [(str(key), value, f"{place}/{escape(str(key))}") for key, value in said.items()]
    elif isinstance(said, list):
        split = [(at, *str(item).partition("=")) for at, item in enumerate(said)]
        items = [(key, value, f"{place}/{at}") for at, key, _, value in split]
    else:
        items = []
    for key, value, at in items:
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        found[key], missing = filled(text)
        places[key] = at
        if missing:
            unknown[key] = missing
    return found, places, unknown


def _exposed(service: Mapping[str, object]) -> tuple[int, ...]:
    exposed = service.get("expose")
    inside = [inside for _, inside in _mapped(service)]
    inside += [str(port).partition("/")[0] for port in exposed] if isinstance(exposed, list) else []
    return tuple(sorted({int(port) for port in inside if port.isdecimal() and 1 <= int(port) <= 65_535}))


def _mapped(service: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the TCP ports of `ports`, each as the one on the host (or nothing) and the one inside."""
    ports = service.get("ports")
    for item in ports if isinstance(ports, list) else []:
        if isinstance(item, dict):
            if item.get("protocol", "tcp") == "tcp":
                yield str(item.get("published") or ""), str(item.get("target") or "")
        elif (found := _PUBLISHED.match(filled(str(item))[0])) and found[3] != "udp":
            yield found[1] or "", found[2]


def _has_check(healthcheck: object) -> bool:
    return isinstance(healthcheck, dict) and not healthcheck.get("disable") and healthcheck.get("test") != ["NONE"]
