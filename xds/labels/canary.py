"""How a version would like to come in, by its labels: the plan of its rollout, who sees it first, how it is judged."""

from __future__ import annotations

from typing import Final

from xds.labels import table
from xds.labels.description import Canary
from xds.labels.keys import AnyKey
from xds.labels.reading import Found
from xds.labels.routes import values_of
from xds.labels.words import Entry
from xds.model.analysis import Analysis
from xds.model.preview import Preview
from xds.model.problems import InvalidInput
from xds.model.route import MatchKind
from xds.model.service import Protocol
from xds.model.split import TOTAL
from xds.translate.regex import check_regex

_MATCHES: Final[tuple[AnyKey, ...]] = (table.MATCH_HEADER, table.MATCH_COOKIE)


def canary(found: Found, version: str, protocol: Protocol | None) -> Canary:
    """Return what is said of it; a mistake is noted, and costs all of it: it then waits at 0 % for somebody."""
    if not found.says("canary"):
        return Canary()
    most, steps = found.one(table.MOST), found.one(table.STEPS_) or ()
    preview = _preview(found, version, protocol)
    if not found.says("canary"):
        return Canary()
    return Canary(
        entry=found.one(table.CANARY) or Entry.AUTO,
        steps=steps,
        interval=found.one(table.STEP_INTERVAL),
        most=TOTAL if most is None else most,
        auto_promote=found.one(table.AUTO_PROMOTE) or False,
        preview=preview,
        analysis=_analysis(found),
        by_evidence=found.one(table.MIN_REQUESTS) is not None,
    )


def _analysis(found: Found) -> Analysis | None:
    """Return by what its steps are judged; None where no label says anything of it."""
    said = {
        "min_requests": found.one(table.MIN_REQUESTS),
        "success_rate": found.one(table.SUCCESS_RATE),
        "p99": found.one(table.P99),
        "error_delta": found.one(table.ERROR_DELTA),
        "no_data": found.one(table.NO_DATA),
        "rollback": found.one(table.ROLLBACK),
    }
    known = {name: value for name, value in said.items() if value is not None}
    return Analysis(**known) if known else None  # type: ignore[arg-type]  # each value is of the key of that name


def _preview(found: Found, version: str, protocol: Protocol | None) -> Preview | None:
    headers, cookies = (values_of(found, key) for key in _MATCHES)
    mirror = found.one(table.MIRROR) or 0
    said: list[tuple[AnyKey, tuple[str, ...]]]
    said = [(key, (name,)) for key in _MATCHES for name in found.named(key)] + [(table.MIRROR, ())] * bool(mirror)
    if not said:
        return None
    if protocol is Protocol.TCP:
        found.lose(*said[0], "a TCP service has no requests to tell apart")
        return None
    for key, group in zip(_MATCHES, (headers, cookies), strict=True):
        for match in group:
            try:
                if match.kind is MatchKind.REGEX:
                    check_regex(match.value, pointer="")
                Preview(version, (match,))
            except InvalidInput as error:
                found.lose(key, (match.name,), error.message)
                return None
    try:
        return Preview(version, headers, cookies, mirror)
    except InvalidInput as error:
        found.lose(*said[0], error.message)
        return None
