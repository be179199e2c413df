"""The same keys as a YAML or JSON document has them: nested where labels have dots, without the prefix.

service: checkout                       fairlead.service=checkout
health: {http: /healthz}                fairlead.health.http=/healthz
route: {api: {method: [GET, POST]}}     fairlead.route.api.method=GET,POST
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xds.labels.keys import PREFIX
from xds.model.labels import escape
from xds.model.problems import InvalidInput

MAX_DEPTH = 8


def labels_of(document: Mapping[str, object], *, pointer: str = "") -> dict[str, str]:
    """Return a nested document as labels; keys may have dots and the prefix already.

    InvalidInput, pointing into the document, for what is no text, number, flag or list of these, and for one key that
    is said in two ways.
    """
    found: dict[str, str] = {}
    for name, value, at in _leaves(document, "", pointer, 0):
        label = name if name.startswith(PREFIX) else PREFIX + name
        if label in found:
            raise InvalidInput(f"{label} is said twice", pointer=at)
        found[label] = value
    return found


def _leaves(document: Mapping[str, object], above: str, pointer: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"nested deeper than {MAX_DEPTH} levels", pointer=pointer)
    for key, value in document.items():
        name, at = f"{above}{key}", f"{pointer}/{escape(key)}"
        match value:
            case Mapping():
                yield from _leaves(value, f"{name}.", at, depth + 1)
            case list():
                yield name, ",".join(_text(item, at) for item in value), at
            case _:
                yield name, _text(value, at), at


def _text(value: object, pointer: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return f"{value:.12g}" if isinstance(value, float) else str(value)
    raise InvalidInput("a label is text, a number, true or false, or a list of these", pointer=pointer)
