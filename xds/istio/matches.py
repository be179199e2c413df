"""HTTPMatchRequest: what a rule of a VirtualService matches, as the matching half of a route.

A condition that cannot be said costs its match: without it the route would take more requests than its author meant.
Source: istio.networking.v1.HTTPMatchRequest and StringMatch.
"""

from __future__ import annotations

from typing import Final

from xds.istio.fields import Fields

_KINDS: Final = ("exact", "prefix", "regex")
_CONDITIONS: Final = {
    "scheme": "a gateway's listeners decide that",
    "port": "a gateway serves its routes on all of its ports",
    "sourceLabels": "who may call is said by allow_from, for the whole service",
    "sourceNamespace": "who may call is said by allow_from, for the whole service",
    "gateways": "a gateway serves routes by their hosts",
}

Document = dict[str, object]


class Unsayable(Exception):
    """A match, or a whole rule, that has no counterpart; it was reported."""


def match(request: Fields) -> Document:
    """Return the fields of a route that match what a request does; Unsayable where one condition cannot be said."""
    made: Document = {}
    sayable = _conditions(request)
    request.text("name")
    if (uri := request.part("uri")) is not None:
        kind, value = _one(uri)
        made["path"] = value if kind == "prefix" else {kind: value}
    if (authority := request.part("authority")) is not None:
        kind, value = _one(authority)
        if kind == "exact":
            made["hosts"] = [value]
        else:
            authority.leave("", "hosts are names, or *.name")
            sayable = False
    if (method := request.part("method")) is not None:
        kind, value = _one(method)
        methods = value.split("|")
        if kind == "prefix" or not all(each.isalpha() for each in methods):
            method.leave("", "methods are compared as a whole")
            sayable = False
        made["methods"] = methods
    for name, field in (("headers", "headers"), ("queryParams", "queries")):
        if (values := request.part(name)) is not None:
            made[field] = {each: _value(values, each) for each in values.names()}
    if (absent := request.part("withoutHeaders")) is not None:
        for each in absent.names():
            if absent.raw(each):
                absent.leave(each, "only that a header is absent can be said, not that its value is another")
                sayable = False
            headers = made.setdefault("headers", {})
            if isinstance(headers, dict):
                headers[each] = {"present": False}
    if request.flag("ignoreUriCase"):
        request.leave("ignoreUriCase", "paths are compared by case")
    request.leave_rest()
    if not sayable:
        request.leave("", "the match is left out, with its route")
        raise Unsayable
    return made


def _conditions(request: Fields) -> bool:
    """Report conditions that nothing here can say; return whether there are none."""
    found = [name for name in _CONDITIONS if name in request]
    for name in found:
        request.leave(name, _CONDITIONS[name])
    return not found


def _one(value: Fields) -> tuple[str, str]:
    kind = next((kind for kind in _KINDS if kind in value), "exact")
    text = value.text(kind)
    value.leave_rest()
    return kind, text


def _value(values: Fields, name: str) -> object:
    """Return how a header or parameter is compared; an empty mapping means that it is there."""
    if not values.raw(name):
        return {"present": True}
    value = values.part(name)
    if value is None:
        return {"present": True}
    kind, text = _one(value)
    return text if kind == "exact" else {kind: text}
