"""Pydantic's findings, in our words: a JSON pointer, a sentence, and the field that was probably meant.

It knows error types and the fields of our schemas, and nothing of requests.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Union, get_args, get_origin

from pydantic import BaseModel

from xds.api.problem_document import SeveralErrors
from xds.model.labels import escape

MAX_ERRORS = 50  # a hostile document with a million wrong fields is answered as briefly as one with fifty

READ_ONLY = frozenset(
    {
        "revision",
        "health",
        "owner",
        "lease",
        "segments",
        "instances",
        "gate",
        "state",
        "phase",
        "reason",
        "forced",
        "drift",
    }
)

Finding = Mapping[str, object]

_SENTENCES: Final = {
    "int_type": "{given} is not a whole number",
    "int_from_float": "{given} is not a whole number",
    "int_parsing": "{given} is not a whole number",
    "float_type": "{given} is not a number",
    "float_parsing": "{given} is not a number",
    "finite_number": "{given} is not a finite number",
    "bool_type": "{given} is neither true nor false",
    "bool_parsing": "{given} is neither true nor false",
    "string_type": "{given} is not text",
    "string_too_long": "{given} has more than {max_length} characters",
    "string_pattern_mismatch": "{given} has a control character",
    "dict_type": "{given} is not an object",
    "model_type": "{given} is not an object",
    "model_attributes_type": "{given} is not an object",
    "list_type": "{given} is not a list",
    "too_long": "{actual_length} entries, at most {max_length} are allowed",
    "too_short": "{actual_length} entries, at least {min_length} is needed",
    "greater_than_equal": "{given} is less than {ge}",
    "less_than_equal": "{given} is more than {le}",
}
"""Our words for pydantic's error types; {given} is the caller's value, the rest is pydantic's context."""


def explain(findings: Sequence[Finding], schema: object) -> SeveralErrors:
    """Return one error for all that pydantic found in a document of `schema`."""
    return SeveralErrors([_explain(finding, schema) for finding in findings[:MAX_ERRORS]])


def pointer_of(place: Sequence[object]) -> str:
    """Return the RFC 6901 pointer of pydantic's `loc`; what it says of dictionary keys is left out."""
    return "".join(f"/{escape(str(part)[:128])}" for part in place if part != "[key]")


def _explain(finding: Finding, schema: object) -> tuple[str, str]:
    place = finding["loc"]
    parts: tuple[object, ...] = tuple(place) if isinstance(place, tuple | list) else ()
    return pointer_of(parts), _words(finding, parts, schema)


def _words(finding: Finding, place: tuple[object, ...], schema: object) -> str:
    context = finding.get("ctx")
    limits: Mapping[str, object] = context if isinstance(context, Mapping) else {}
    given = _shown(finding.get("input"))
    name = str(place[-1]) if place else "a JSON body"
    match finding["type"]:
        case "missing":
            return f"{name} is required"
        case "extra_forbidden":
            return _unknown(name, fields_at(schema, place[:-1]))
        case "literal_error":
            return f"{given} is none of {str(limits.get('expected', '')).replace(' or ', ', ')}"
        case "value_error":
            return str(limits.get("error", finding["msg"]))
        case str() as kind if kind in _SENTENCES:
            return _SENTENCES[kind].format(given=given, **limits)
    return str(finding["msg"])


def _unknown(name: str, known: Sequence[str]) -> str:
    if name in READ_ONLY:
        return f"{name} is set by the control plane: leave it out"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"unknown field {name[:64]!r}: did you mean {near[0]!r}?"
    return f"unknown field {name[:64]!r}" + (f": there are {', '.join(known)}" if known else "")


def fields_at(schema: object, place: Sequence[object]) -> list[str]:
    """Return the field names of the schema found by walking `place` into `schema`; none where that leads nowhere."""
    found = _models(schema)
    for part in place:
        if isinstance(part, str) and any(part in model.model_fields for model in found):
            found = [
                inner
                for model in found
                if (field := model.model_fields.get(part)) is not None
                for inner in _models(field.annotation)
            ]
    return [name for model in found for name in model.model_fields]


def _models(annotation: object) -> list[type[BaseModel]]:
    """Return the models inside an annotation: of lists, optionals and tables those of what they hold."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if get_origin(annotation) in {list, dict, Union, types.UnionType, Annotated}:
        return [model for argument in get_args(annotation) for model in _models(argument)]
    return []


def _shown(value: object) -> str:
    """Return a value of the caller's as he would recognise it, cut to a line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= 64 else value[:61] + "...")
        case int() | float():
            return str(value)[:64]
        case dict():
            return "an object"
        case list():
            return "a list"
    return "this"
