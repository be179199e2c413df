"""Services: from documents to values of the model, and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from xds.api.convert.breaker import breaker_of, limits_of, limits_out
from xds.api.convert.pointers import renamed, under
from xds.api.convert.weights import (
    maybe_duration,
    retry_of,
    retry_out,
    segments_out,
    split_key_of,
    split_key_out,
    split_of,
    weights_out,
)
from xds.api.schemas.breaker import ForcedOut
from xds.api.schemas.service import OutlierOut, ServiceIn, ServiceOut, SubsetIn, SubsetOut
from xds.model.balancing import Balancing, Outlier
from xds.model.duration import write_duration
from xds.model.names import ServiceKey, check_id
from xds.model.selector import Selector
from xds.model.service import Protocol, Service, Subset
from xds.model.split import SplitKey


def service_of(document: ServiceIn, key: ServiceKey, owner: str) -> Service:
    """Return the service of a document under `key`; what the document leaves out is the model's default."""
    bare = Service(key)
    if document.stable is not None:
        check_id(document.stable, pointer="/stable", what="version")
    for port in document.protocols:
        check_id(port, pointer="/protocols", what="port name")
    for at, item in enumerate(document.split or ()):
        check_id(item.subset, pointer=f"/split/{at}/subset", what="subset")
    return Service(
        key=key,
        protocol=Protocol(document.protocol),
        protocols={name: Protocol(spoken) for name, spoken in document.protocols.items()},
        subsets=tuple(_subset(subset, f"/subsets/{at}") for at, subset in enumerate(document.subsets)),
        stable=document.stable or "",
        split=split_of(document.split, document.split_key),
        balancing=Balancing(document.balancing),
        hash_key=_hash_key(document),
        outlier=None if document.outlier is None else Outlier(**document.outlier.model_dump()),
        connect_timeout=bare.connect_timeout if document.connect_timeout is None else document.connect_timeout,
        timeout=document.timeout,
        retry=None if document.retry is None else retry_of(document.retry),
        upstream_port=document.upstream_port,
        breaker=breaker_of(document.breaker),
        limits=limits_of(document.limits),
        allow_from=None if document.allow_from is None else tuple(document.allow_from),
        labels=document.labels,
        owner=owner,
    )


def service_key(document: ServiceIn, env: str, name: str | None = None) -> ServiceKey:
    """Return the key that path, query and document name together; the document may repeat, not contradict."""
    with renamed({"/service": "/name"}):
        return ServiceKey.of(name if name is not None else document.name or "", env)


def service_out(
    service: Service, *, revision: int, instances: int, forced: Mapping[str, ForcedOut] = MappingProxyType({})
) -> ServiceOut:
    """Return a service as a document; `forced` are the breakers of it that operators hold."""
    return ServiceOut(
        name=service.key.name,
        env=service.key.env,
        protocol=service.protocol.value,
        protocols={name: spoken.value for name, spoken in service.protocols.items()},
        subsets=[SubsetOut(name=subset.name, selector=str(subset.selector)) for subset in service.subsets],
        stable=service.stable,
        split=weights_out(service.split.weights),
        segments=segments_out(service.split),
        salt=service.split.salt,
        split_key=split_key_out(service.split.key),
        balancing=service.balancing.value,
        hash_key=split_key_out(service.hash_key),
        outlier=None if service.outlier is None else _outlier_out(service.outlier),
        connect_timeout=write_duration(service.connect_timeout),
        timeout=maybe_duration(service.timeout),
        retry=None if service.retry is None else retry_out(service.retry),
        upstream_port=service.upstream_port,
        breaker=dict(service.breaker) if isinstance(service.breaker, Mapping) else service.breaker,
        forced=dict(forced),
        limits=limits_out(service.limits),
        allow_from=None if service.allow_from is None else list(service.allow_from),
        labels=dict(service.labels),
        revision=revision,
        owner=service.owner,
        instances=instances,
    )


def _hash_key(document: ServiceIn) -> SplitKey:
    with renamed({"/split_key": "/hash_key"}):
        return split_key_of(document.hash_key)


def _outlier_out(outlier: Outlier) -> OutlierOut:
    return OutlierOut(
        consecutive_5xx=outlier.consecutive_5xx,
        interval=write_duration(outlier.interval),
        ejection=write_duration(outlier.ejection),
        max_ejected=outlier.max_ejected,
    )


def _subset(document: SubsetIn, place: str) -> Subset:
    with under(place):
        return Subset(document.name, Selector.parse(document.selector, pointer="/selector"))
