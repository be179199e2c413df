"""The policy that holds for a service: its own fields, else its labels, those of its stable version, then policies.

Each field is decided by itself. A label that is unknown or wrong costs that label and is
reported; labels of other versions than the stable one are looked at for mistakes only, since a canary must not change
how its service is treated.
"""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import ValidationError

from xds.model.breaker import NO_LIMITS, Limits, Rule
from xds.model.callers import ALLOW_FROM, Callers, parse_callers
from xds.model.labels import Labels, escape
from xds.model.policy import Mirror, ServicePolicy
from xds.model.problems import InvalidInput, Problem, Severity
from xds.model.route import Retry
from xds.model.service import Service
from xds.wire.filter_schema import BreakerRule, RouteBreaker

from .attached import Deciding, Note

BREAKER: Final = "fairlead.breaker"
SLOW: Final = "fairlead.slow-ms"
RULE: Final[Mapping[str, str]] = {
    SLOW if name == "slow_ms" else f"{BREAKER}.{name.replace('_', '-')}": name for name in BreakerRule.model_fields
}
"""Field of a breaker's rule by label."""
LIMITS: Final[Mapping[str, str]] = {
    **{f"{BREAKER}.max-{name}": name for name in ("connections", "pending", "requests", "retries")},
    "fairlead.retry.budget": "retry_budget",
}
"""Field of the limits by label."""
_OURS: Final = "fairlead."
_KNOWN: Final = (BREAKER, *RULE, *LIMITS, ALLOW_FROM)
_OFF: Final = BreakerRule(consecutive=0, errors=0, slow=0)
"""Opens for nothing: what an operator's word rides in where a service has no breaker."""
_PERCENT: Final = frozenset({"errors", "slow", "retry_budget"})
_WORDS: Final = {"true": True, "on": True, "false": False, "off": False}


OwnLabels = tuple[tuple[str, str], ...]
"""The labels of one instance that are policy, in order; most have none."""
TIMEOUT: Final = 15.0
"""Seconds that a request has where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds. `breaker` None: there is none; `allow_from` None: everybody may call.

    `by` tells who decided, field by field; what is missing there has its default.
    """

    timeout: float = TIMEOUT
    retry: Retry = Retry()
    mirror: Mirror | None = None
    breaker: BreakerRule | None = None
    limits: Limits = NO_LIMITS
    allow_from: Callers | None = None
    problems: tuple[Problem, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)

    def at(self, clusters: Mapping[str, str], service: Service) -> RouteBreaker | None:
        """Return the breaker of a route to `clusters` (their subset by name), with what operators force of them."""
        held = service.forced
        force = {name: held[subset].state.value for name, subset in clusters.items() if subset in held}
        rule = self.breaker or (_OFF if force else None)
        return None if rule is None else RouteBreaker.model_construct(**dict(rule), force=force)


def own_labels(labels: Labels) -> OwnLabels:
    """Return those that are read here, and those that nobody reads although they are called like them."""
    names = _own_names(tuple(labels))
    return tuple((name, labels[name]) for name in names) if names else ()


@functools.lru_cache(maxsize=4096)  # many instances have labels of the same names
def _own_names(names: tuple[str, ...]) -> tuple[str, ...]:
    ours = (name for name in names if name.startswith(_OURS))
    return tuple(sorted(name for name in ours if name in _KNOWN or name.startswith(f"{BREAKER}.")))


def policy(
    service: Service,
    by_version: Mapping[str, Mapping[OwnLabels, int]],
    policies: Sequence[ServicePolicy] = (),
) -> Policy:
    """Return what holds for a service; `by_version` tells how many instances have which `own_labels`.

    `policies` are those that pick the service, the one that goes first first.
    """
    own = own_labels(service.labels)
    fields = (service.timeout, service.retry, service.breaker, service.limits, service.allow_from)
    if not (own or by_version or policies) and all(each is None for each in fields):
        return _NOTHING_SAID
    problems: list[Problem] = []

    def note(pointer: str, words: str) -> None:
        problems.append(Problem("service", str(service.key), pointer, words, Severity.WARNING))

    declared = _Labels(dict(own), "", note)
    stable = _Labels({}, "", note)
    for version in sorted(by_version):
        read = _Labels(_agreed(by_version[version], version, note), f" of version {version}", note)
        stable = read if version == service.stable else stable
    deciding = Deciding(policies, note)
    labels = ("label", f"label of version {service.stable}")
    rules = zip(("service", *labels), (_declared(service, note), declared.rule, stable.rule), strict=True)
    limits = zip(("service", *labels), (service.limits, declared.limits, stable.limits), strict=True)
    callers = zip(("service", *labels), (service.allow_from, declared.allow_from, stable.allow_from), strict=True)
    timeout = deciding.decide("timeout", [("service", service.timeout)], lambda each: each.timeout)
    rule = deciding.decide("breaker", rules, lambda each: each.breaker)
    allowed = deciding.decide("allow_from", callers, lambda each: each.allow_from)
    return Policy(
        timeout=TIMEOUT if timeout is None else timeout,
        retry=deciding.decide("retry", [("service", service.retry)], lambda each: each.retry) or Retry(),
        mirror=deciding.decide("mirror", (), lambda each: each.mirror),
        breaker=None if rule is None or rule is False else BreakerRule.model_validate(rule),
        limits=deciding.decide("limits", limits, lambda each: each.limits) or NO_LIMITS,
        allow_from=parse_callers(("*",) if allowed is None else allowed, pointer="/allow_from"),
        problems=tuple(problems),
        by=deciding.by,
    )


_NOTHING_SAID: Final = Policy()


class _Labels:
    """What one set of labels says; the mistakes in it go to `note`."""

    def __init__(self, labels: Labels, whose: str, note: Note) -> None:
        self.rule: Rule | bool | None = None
        self.limits: Limits | None = None
        self.allow_from: tuple[str, ...] | None = None
        numbers: dict[str, int | bool] = {}
        for label, value in sorted(labels.items()):
            try:
                if label in RULE:
                    numbers[RULE[label]] = read_rule(RULE[label], value)
                elif label in LIMITS:
                    self.limits = replace(self.limits or NO_LIMITS, **{LIMITS[label]: read_limit(LIMITS[label], value)})
                elif label == ALLOW_FROM:
                    self.allow_from = read_callers(value)
                elif label != BREAKER:
                    raise InvalidInput(_unknown(label))
                else:
                    self.rule = {} if read_flag(value) else False
            except InvalidInput as error:
                note(f"/labels/{escape(label)}", f"label {label}{whose}: {error.message}; it is left out")
        if self.rule is not False and (numbers or self.rule is not None):
            self.rule = numbers


def _declared(service: Service, note: Note) -> Rule | bool | None:
    """Return the service's own rule, without what another release stored and this one cannot read."""
    if not service.breaker:
        return service.breaker
    try:
        BreakerRule.model_validate(service.breaker)
    except ValidationError as error:
        note("/breaker", f"{_words(error)}; left out")
        wrong = {str(found["loc"][0]) for found in error.errors()}
        return {name: value for name, value in service.breaker.items() if name not in wrong}
    return service.breaker


def _agreed(said: Mapping[OwnLabels, int], version: str, note: Note) -> Labels:
    """Return each label with the value that most instances of a version give it, the first in order among equals."""
    values: dict[str, Counter[str]] = {}
    for labels, instances in said.items():
        for label, value in labels:
            values.setdefault(label, Counter())[value] += instances
    agreed = {}
    for label, found in values.items():
        agreed[label] = min(found, key=lambda value: (-found[value], value))
        if others := sorted(found.keys() - {agreed[label]}):
            most, some = repr(agreed[label][:64]), ", ".join(repr(each[:64]) for each in others[:3])
            words = f"label {label}: most instances of version {version} say {most}, which holds; others {some}"
            note(f"/labels/{escape(label)}", words)
    return agreed


def read_flag(value: str) -> bool:
    """Return true or false; InvalidInput for any other word, as for what the readers below cannot read."""
    if value not in _WORDS:
        raise InvalidInput(f"{value[:64]!r} is neither true nor false")
    return _WORDS[value]


def read_rule(field: str, value: str) -> int | bool:
    """Return what a label says of a field of the rule."""
    if field == "service":
        return value == "open" or read_flag(value)
    number = _number(field, value)
    try:
        BreakerRule.model_validate({field: number})
    except ValidationError as error:
        raise InvalidInput(_words(error)) from None
    return number


def read_limit(field: str, value: str) -> int:
    """Return what a label says of a field of the limits."""
    number = _number(field, value)
    replace(NO_LIMITS, **{field: number})
    return number


def _number(field: str, value: str) -> int:
    value = value.removesuffix("%") if field in _PERCENT else value
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise InvalidInput(f"{value[:64]!r} is not a whole number")
    return int(value)


def read_callers(value: str) -> tuple[str, ...] | None:
    """Return who is named; a label without any name says nothing, as an empty variable in a template would."""
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    if names:
        parse_callers(names, pointer="")
    return names or None


def _unknown(label: str) -> str:
    near = difflib.get_close_matches(label, _KNOWN, n=1, cutoff=0.6)
    return "nothing is known by that name" + (f"; did you mean {near[0]}?" if near else "")


def _words(error: ValidationError) -> str:
    return "; ".join(_sentences(error))


def _sentences(error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_url=False):
        place = ".".join(str(part) for part in found["loc"])
        yield f"{place}: {found['msg']} (it is {str(found['input'])[:64]})"
