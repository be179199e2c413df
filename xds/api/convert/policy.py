"""Policies: from documents to values of the model, and back."""

from __future__ import annotations

from collections.abc import Mapping

from xds.api.convert.breaker import breaker_of, limits_of, limits_out
from xds.api.convert.weights import maybe_duration, retry_of, retry_out
from xds.api.scalars import write_percent
from xds.api.schemas.policy import MirrorIn, MirrorOut, PolicyIn, PolicyOut
from xds.api.schemas.report import HoldsOut
from xds.model.duration import write_duration
from xds.model.names import Key, check_id
from xds.model.policy import Mirror, ServicePolicy
from xds.model.problems import InvalidInput
from xds.model.selector import Selector
from xds.model.split import weight_from_percent
from xds.translate.policy import Policy


def policy_of(document: PolicyIn, env: str, owner: str, name: str | None = None) -> ServicePolicy:
    """Return the policy of a document; `name` is the one in the path, which the document may repeat."""
    if name is not None and document.name not in {None, name}:
        raise InvalidInput(f"the path says {name!r}, the document {document.name!r}", pointer="/name")
    key = Key(
        check_id(env, pointer="/env", what="env"),
        check_id(name or document.name or "", pointer="/name", what="policy name"),
    )
    return ServicePolicy(
        key=key,
        selector=Selector.parse(document.selector, pointer="/selector"),
        priority=document.priority,
        timeout=document.timeout,
        retry=None if document.retry is None else retry_of(document.retry),
        breaker=breaker_of(document.breaker),
        limits=limits_of(document.limits),
        allow_from=None if document.allow_from is None else tuple(document.allow_from),
        mirror=None if document.mirror is None else _mirror_of(document.mirror),
        owner=owner,
    )


def policy_out(policy: ServicePolicy, *, revision: int, services: list[str]) -> PolicyOut:
    """Return a policy as a document; `services` are those that it picks."""
    return PolicyOut(
        name=policy.key.name,
        env=policy.key.env,
        selector=str(policy.selector),
        priority=policy.priority,
        timeout=maybe_duration(policy.timeout),
        retry=None if policy.retry is None else retry_out(policy.retry),
        breaker=dict(policy.breaker) if isinstance(policy.breaker, Mapping) else policy.breaker,
        limits=limits_out(policy.limits),
        allow_from=None if policy.allow_from is None else list(policy.allow_from),
        mirror=_mirror_out(policy.mirror),
        services=services,
        revision=revision,
        owner=policy.owner,
    )


def holds_out(policy: Policy) -> list[HoldsOut]:
    """Return field by field what holds for a service, and who says so."""
    mirror = _mirror_out(policy.mirror)
    values: dict[str, object] = {
        "timeout": write_duration(policy.timeout),
        "retry": retry_out(policy.retry).model_dump(),
        "breaker": None if policy.breaker is None else policy.breaker.model_dump(),
        "limits": {} if (limits := limits_out(policy.limits)) is None else limits.model_dump(exclude_none=True),
        "allow_from": ["*"] if policy.allow_from is None else list(policy.allow_from),
        "mirror": None if mirror is None else mirror.model_dump(),
    }
    return [HoldsOut(field=field, value=value, by=policy.by.get(field, "default")) for field, value in values.items()]


def _mirror_of(document: MirrorIn) -> Mirror:
    share = weight_from_percent(document.share, pointer="/mirror/share")
    return Mirror(document.subset, share, document.service or "")


def _mirror_out(mirror: Mirror | None) -> MirrorOut | None:
    if mirror is None:
        return None
    return MirrorOut(subset=mirror.subset, share=write_percent(mirror.share), service=mirror.service or None)
