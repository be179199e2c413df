"""The short way to an instance: from plain JSON fields, for what is certainly right.

It takes nothing that the long way (a schema, and `Instance`'s own checks) would refuse, and whatever is not plainly
right it leaves to that: None is no verdict, only "look closer". What many instances say alike (versions, zones, ports,
keys of labels) is checked once and kept once. A property test holds both ways to the same results.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from xds.model.duration import read_duration
from xds.model.instance import (
    DEFAULT_PORT,
    DEFAULT_VERSION,
    DEFAULT_WEIGHT,
    MAX_COUNT,
    MAX_PORTS,
    MAX_TTL,
    MAX_WEIGHT,
    MIN_TTL,
    Instance,
    derived_id,
    trusted,
)
from xds.model.labels import MAX_LABELS, MAX_VALUE, is_key
from xds.model.names import DEFAULT_ENV, ServiceKey, is_id

_NOTHING: Mapping[str, str] = {}
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# Canonical IPv4 below multicast: less than `check_host` takes.
_is_ipv4 = re.compile(rf"(?:[1-9]|[1-9][0-9]|1[0-9][0-9]|2[01][0-9]|22[0-3])(?:\.{_OCTET}){{3}}\Z").match

_REST = ("version", "weight", "region", "zone", "labels", "metadata", "ttl", "epoch", "seq", "start")
_DOCUMENT = frozenset({"id", "service", "env", "address", "port", "ports", *_REST})
_STORED = frozenset({"id", "service", "address", "ports", "owner", *_REST})


class _Unsure(Exception):
    """Something that the long way has to look at."""


def declared(fields: Mapping[str, Any], owner: str, name: str | None = None) -> Instance | None:
    """Return the instance that the document of a registration declares for `owner`, or None for the long way.

    `name` is the id in the request's path, which the document may repeat.
    """
    if not fields.keys() <= _DOCUMENT:
        return None
    try:
        get = fields.get
        service = _service(fields["service"], get("env", DEFAULT_ENV))
        address, port, said = fields["address"], get("port"), get("id")
        ttl, epoch, seq = get("ttl"), get("epoch"), get("seq")
        if (port is None) == ("ports" not in fields) or (name is not None and said not in {None, name}):
            return None
        ports = _many(fields["ports"]) if port is None else _one(port)
        if said is None:
            said = name or derived_id(service.name, service.env, str(address), next(iter(ports.values())))
        rest = (
            get("version", DEFAULT_VERSION),
            get("weight", DEFAULT_WEIGHT),
            get("region", ""),
            get("zone", ""),
            get("labels", _NOTHING),
            get("metadata", _NOTHING),
            None if ttl is None else _seconds(ttl),
            0 if epoch is None else epoch,
            0 if seq is None else seq,
            get("start", ""),
        )
        return _checked(said, service, address, ports, rest, owner)
    except (_Unsure, KeyError, TypeError, ValueError):  # what is missing, or of another type than it is used as
        return None


def stored(fields: Mapping[str, Any]) -> Instance | None:
    """Return the instance that the row of a store holds, or None for the long way."""
    try:
        if any(fields[unknown] is not None for unknown in fields.keys() - _STORED):
            return None
        env, service = fields["service"]
        owner = fields["owner"]
        if type(owner) is not str:
            return None
        rest = tuple(fields[name] for name in _REST)
        return _checked(fields["id"], _service(service, env), fields["address"], _many(fields["ports"]), rest, owner)
    except (_Unsure, KeyError, TypeError, ValueError):
        return None


def _checked(  # noqa: PLR0913 - an instance's fields; `rest` are those of `_REST`
    name: str,
    service: ServiceKey,
    address: str,
    ports: Mapping[str, int],
    rest: tuple[Any, ...],
    owner: str,
) -> Instance:
    version, weight, region, zone, labels, metadata, ttl, epoch, seq, start = rest
    if not is_id(name) or not _is_ipv4(address):  # anything but text is a TypeError
        raise _Unsure
    if type(weight) is not int or not 0 <= weight <= MAX_WEIGHT:
        raise _Unsure
    if ttl is not None and not (type(ttl) is float and MIN_TTL <= ttl <= MAX_TTL):
        raise _Unsure
    if type(epoch) is not int or type(seq) is not int or not (0 <= epoch <= MAX_COUNT and 0 <= seq <= MAX_COUNT):
        raise _Unsure
    return trusted(
        name,
        service,
        address,
        ports,
        _word(version),
        weight,
        _word(region) if region != "" else "",
        _word(zone) if zone != "" else "",
        _labels(labels),
        _labels(metadata),
        None,  # ingress: what has one takes the long way
        ttl,
        None,  # check: the same
        epoch,
        seq,
        start if start == "" or is_id(start) else _word(start),
        owner,
    )


def _labels(labels: object) -> Mapping[str, str]:
    if not labels and type(labels) is dict:
        return _NOTHING
    if type(labels) is not dict or len(labels) > MAX_LABELS:
        raise _Unsure
    _keys(tuple(labels))
    # Short all together and printable: so is each. What is longer, or not printable, may still be right.
    text = "".join(labels.values())
    if len(text) > MAX_VALUE or not text.isprintable():
        raise _Unsure
    return labels


def _many(ports: object) -> Mapping[str, int]:
    if type(ports) is not dict or any(type(number) is not int for number in ports.values()):
        raise _Unsure
    return _ports(tuple(ports.items()))


def _one(port: object) -> Mapping[str, int]:
    if type(port) is not int:
        raise _Unsure
    return _ports(((DEFAULT_PORT, port),))


# -- checked once, and kept once for all who say the same; what is refused raises, and is not kept -----------------


@functools.lru_cache(maxsize=4096)
def _ports(ports: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    if not 1 <= len(ports) <= MAX_PORTS:
        raise _Unsure
    if not all(is_id(name) and 1 <= number <= 65_535 for name, number in ports):
        raise _Unsure
    return dict(ports)


@functools.lru_cache(maxsize=16_384)
def _service(name: str, env: str) -> ServiceKey:
    if not is_id(name) or not is_id(env):
        raise _Unsure
    return ServiceKey(env, name)


@functools.lru_cache(maxsize=4096)
def _word(text: str) -> str:
    if not is_id(text):
        raise _Unsure
    return text


@functools.lru_cache(maxsize=4096)
def _keys(keys: tuple[str, ...]) -> None:
    if not all(map(is_key, keys)) or sum(map(len, keys)) > MAX_VALUE:
        raise _Unsure


@functools.lru_cache(maxsize=256, typed=True)
def _seconds(said: object) -> float:
    return read_duration(said)
