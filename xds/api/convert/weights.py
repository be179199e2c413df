"""Splits, split keys and retries, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xds.api.convert.pointers import renamed
from xds.api.scalars import write_percent
from xds.api.schemas.weights import RetryIn, RetryOut, SplitKeyModel, WeightIn, WeightOut
from xds.model.duration import write_duration
from xds.model.problems import InvalidInput
from xds.model.route import Retry
from xds.model.split import KeySource, Segment, Split, SplitKey, weight_from_percent


def split_of(weights: Sequence[WeightIn] | None, key: SplitKeyModel | None = None) -> Split:
    """Return the split of a document; one without weights has no segments. Subsets with weight 0 own no bucket."""
    found: dict[str, int] = {}
    for at, item in enumerate(weights or ()):
        if item.subset in found:
            raise InvalidInput(f"subset {item.subset!r} stands here twice", pointer=f"/split/{at}/subset")
        found[item.subset] = weight_from_percent(item.weight, pointer=f"/split/{at}/weight")
    if weights and not any(found.values()):
        raise InvalidInput("weights add up to 0 percent, not 100", pointer="/split")
    segments = tuple(Segment(subset, weight) for subset, weight in found.items() if weight)
    return Split(segments, split_key_of(key))


def split_key_of(document: SplitKeyModel | None) -> SplitKey:
    """Return the key of a document: header, cookie or source address."""
    with renamed({"/key": "/split_key"}):
        if document is not None and document.header is not None:
            return SplitKey(KeySource.HEADER, document.header)
        if document is not None and document.cookie is not None:
            return SplitKey(KeySource.COOKIE, document.cookie)
        return SplitKey()


def split_key_out(key: SplitKey) -> str | dict[str, str]:
    """Return a key as it would be written in a document."""
    return key.source.value if key.source is KeySource.SOURCE else {key.source.value: key.name}


def weights_out(weights: Mapping[str, int]) -> list[WeightOut]:
    """Return totals by subset."""
    return [WeightOut(subset=subset, weight=write_percent(weight)) for subset, weight in weights.items()]


def segments_out(split: Split) -> list[WeightOut]:
    """Return the segments in the order in which Envoy walks them."""
    return [WeightOut(subset=segment.subset, weight=write_percent(segment.weight)) for segment in split.segments]


def percents(weights: Mapping[str, int] | None) -> dict[str, float | int] | None:
    """Return 10,000ths as percent, by subset."""
    return None if weights is None else {subset: write_percent(weight) for subset, weight in weights.items()}


def retry_of(document: RetryIn) -> Retry:
    """Return the retry policy of a document."""
    retry = Retry()
    return Retry(document.attempts, retry.on if document.on is None else tuple(document.on), document.per_try)


def retry_out(retry: Retry) -> RetryOut:
    """Return a retry policy as a document."""
    return RetryOut(attempts=retry.attempts, on=list(retry.on), per_try=maybe_duration(retry.per_try))


def maybe_duration(seconds: float | None) -> str | None:
    """Return a duration as text, None as None."""
    return None if seconds is None else write_duration(seconds)
