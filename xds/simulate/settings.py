"""Which breakers to try: a rule in words, and the product of all values that are to be compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from xds.model.problems import InvalidInput
from xds.model.split import Split
from xds.simulate.proxy import Setting
from xds.simulate.texts import pairs
from xds.wire.filter_schema import BreakerRule, RouteBreaker

MOST_SETTINGS: Final = 24
AS_IT_IS: Final = "the rule"


def read_rule(text: str) -> RouteBreaker:
    """Return the rule of `consecutive=5,errors=50,open_ms=5000`; what is not named is the default."""
    told = {} if not text else {_name(name): _value(value) for name, value in pairs(text, pointer="/rule")}
    return _rule(told, "/rule")


def read_settings(
    split: Split, rule: RouteBreaker, compared: Sequence[str], *, workers: int, seed: int
) -> list[Setting]:
    """Return a setting for each combination of the values in `compared` (`consecutive=3,5,10`), or one for the rule."""
    axes = [_axis(text) for text in compared]
    settings = []
    for combination in itertools.product(*axes):
        told = dict(combination)
        name = " ".join(f"{field}={_shown(value)}" for field, value in combination) or AS_IT_IS
        settings.append(Setting(name, split, _rule({**rule.to_struct(), **told}, "/compare"), workers, seed))
    if len(settings) > MOST_SETTINGS:
        raise InvalidInput(f"{len(settings)} settings; at most {MOST_SETTINGS} are compared", pointer="/compare")
    return settings


def _axis(text: str) -> list[tuple[str, int | bool]]:
    name, equals, values = text.partition("=")
    if not (name.strip() and equals and values.strip()):
        raise InvalidInput(f"{text!r} compares nothing; write consecutive=3,5,10", pointer="/compare")
    return [(_name(name), _value(value)) for value in values.split(",")]


def _name(text: str) -> str:
    """A field of the rule; its name on the command line may have hyphens."""
    return text.strip().replace("-", "_")


def _value(text: str) -> int | bool:
    text = text.strip().removesuffix("%")
    if text in {"true", "false"}:
        return text == "true"
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is neither a whole number nor true or false", pointer="/rule") from None


def _shown(value: int | bool) -> str:
    return str(value).lower()


def _rule(told: Mapping[str, object], pointer: str) -> RouteBreaker:
    try:
        return RouteBreaker.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(BreakerRule.model_fields)
            raise InvalidInput(f"a rule has no {field!r}; it has {known}", pointer=pointer) from None
        raise InvalidInput(f"{field}: {first['msg']}", pointer=pointer) from None
