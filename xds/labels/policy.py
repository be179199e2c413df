"""What labels say of their service: protocol, timeout, retries, balancing, outliers, breaker, limits and callers."""

from __future__ import annotations

from typing import Final, Literal

from xds.labels import table
from xds.labels.description import ServiceLabels
from xds.labels.reading import Found
from xds.model.balancing import BY_HASH, Balancing, Outlier
from xds.model.breaker import Limits, Rule
from xds.model.problems import InvalidInput
from xds.model.route import Retry, check_timeout
from xds.model.service import Protocol
from xds.model.split import SplitKey
from xds.translate.policy import LIMITS, RULE

_RETRY: Final = Retry()
_OUTLIER: Final = Outlier()


def service_labels(found: Found) -> ServiceLabels:
    """Return what the labels say of the service; what cannot be is noted and left out."""
    protocol = found.one(table.PROTOCOL)
    balancing, hash_key = _balancing(found, protocol)
    return ServiceLabels(
        protocol=protocol,
        timeout=_timeout(found),
        retry=_retry(found),
        balancing=balancing,
        hash_key=hash_key,
        outlier=_outlier(found),
        split_key=found.one(table.STICKY),
        breaker=_breaker(found),
        limits=_limits(found),
        allow_from=found.one(table.CALLERS),
    )


def _timeout(found: Found) -> float | None:
    seconds = found.one(table.TIMEOUT)
    try:
        return None if seconds is None else check_timeout(seconds, pointer="")
    except InvalidInput as error:
        found.lose(table.TIMEOUT, (), error.message)
        return None


def _retry(found: Found) -> Retry | None:
    if not found.says("retry"):
        return None
    attempts, conditions = found.one(table.ATTEMPTS), found.one(table.RETRY_ON)
    try:
        return Retry(
            _RETRY.attempts if attempts is None else attempts, conditions or _RETRY.on, found.one(table.PER_TRY)
        )
    except InvalidInput as error:
        wrong = table.PER_TRY if error.pointer.endswith("per_try") else table.RETRY_ON
        found.lose(wrong, (), error.message)
        return None


def _outlier(found: Found) -> Outlier | None:
    if not found.says("outlier"):
        return None
    failures, interval = found.one(table.FAILURES), found.one(table.LOOKED_AT)
    ejection, most = found.one(table.EJECTION), found.one(table.EJECTED)
    try:
        return Outlier(
            consecutive_5xx=_OUTLIER.consecutive_5xx if failures is None else failures,
            interval=_OUTLIER.interval if interval is None else interval,
            ejection=_OUTLIER.ejection if ejection is None else ejection,
            max_ejected=_OUTLIER.max_ejected if most is None else most,
        )
    except InvalidInput as error:
        found.lose(table.EJECTION if error.pointer.endswith("ejection") else table.LOOKED_AT, (), error.message)
        return None


def _balancing(found: Found, protocol: Protocol | None) -> tuple[Balancing | None, SplitKey | None]:
    if not found.says("lb"):
        return None, None
    balancing, key = found.one(table.LB), found.one(table.HASH)
    if balancing in BY_HASH and protocol is Protocol.TCP:
        found.lose(table.LB, (), f"{balancing} needs requests, and TCP has none")
        return None, None
    if key is not None and balancing not in BY_HASH:
        found.note(table.HASH.label, "only ring-hash and maglev look at it; say fairlead.lb as well")
        key = None
    return balancing, key


def _breaker(found: Found) -> Rule | Literal[False] | None:
    """Return the rule that the labels say, False for none at all, None where they say nothing."""
    said = found.one(table.BREAKER_)
    if said is False:
        return False
    numbers: dict[str, int | bool] = {}
    for key, field in zip(table.BREAKERS, RULE.values(), strict=True):
        if (number := found.one(key)) is not None:
            numbers[field] = number
    return numbers if numbers or said else None


def _limits(found: Found) -> Limits | None:
    said = {field: found.one(key) for key, field in zip(table.BOUNDS, LIMITS.values(), strict=True)}
    return Limits(**said) if any(value is not None for value in said.values()) else None
