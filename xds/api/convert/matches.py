"""How headers, cookies and parameters are compared, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xds.api.schemas.route import ValueModel
from xds.model.labels import escape
from xds.model.route import MatchKind, ValueMatch
from xds.translate.regex import check_regex


def matches_of(documents: Mapping[str, ValueModel], group: str) -> tuple[ValueMatch, ...]:
    """Return the comparisons of a document, by name; `group` is the field that they stand in."""
    return tuple(_match(name, document, f"/{group}/{escape(name)}") for name, document in documents.items())


def _match(name: str, document: ValueModel, place: str) -> ValueMatch:
    if document.present is not None:
        return ValueMatch(name, MatchKind.PRESENT if document.present else MatchKind.ABSENT)
    if document.prefix is not None:
        return ValueMatch(name, MatchKind.PREFIX, document.prefix)
    if document.regex is not None:
        return ValueMatch(name, MatchKind.REGEX, check_regex(document.regex, pointer=f"{place}/regex"))
    return ValueMatch(name, MatchKind.EXACT, document.exact or "")


def matches_out(matches: Sequence[ValueMatch]) -> dict[str, dict[str, str | bool]]:
    """Return comparisons as a document."""
    found: dict[str, dict[str, str | bool]] = {}
    for match in matches:
        if match.kind in {MatchKind.PRESENT, MatchKind.ABSENT}:
            found[match.name] = {"present": match.kind is MatchKind.PRESENT}
        else:
            found[match.name] = {match.kind.value: match.value}
    return found
