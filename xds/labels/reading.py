"""Labels read one by one: what each key says, what is wrong, and what the mistakes cost.

Knows the table and the types; refuses to know what the values come to together, which is for those who build a facet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar, cast

from xds.labels.keys import PREFIX, AnyKey, Key
from xds.labels.table import KEYS
from xds.labels.values import check_text, shown
from xds.model.labels import MAX_KEY, MAX_LABELS, escape
from xds.model.problems import InvalidInput, Problem, Severity

T = TypeVar("T")
ALIAS: Final = "io.fairlead."
"""What stands for the prefix where labels have to be named after a domain."""
_PLACE: Final = "route."


class Found:
    """What the labels of one container say. `refused` is why it cannot be registered, `lost` what mistakes cost."""

    def __init__(self, name: str) -> None:
        """Start with nothing said by the container called `name`."""
        self.problems: list[Problem] = []
        self.lost: set[str] = set()
        self.refused = False
        self._name = name
        self._values: dict[str, dict[tuple[str, ...], object]] = {}

    def one(self, key: Key[T], *names: str) -> T | None:
        """Return what a key says, with `names` in its places; None where it says nothing, or nothing that is right."""
        return cast("T | None", self._values.get(key.name, {}).get(names))

    def named(self, key: Key[T], *names: str) -> dict[str, T]:
        """Return what a key says by what stands in its last place, with `names` in those before it."""
        values = self._values.get(key.name, {})
        return {places[-1]: cast("T", value) for places, value in values.items() if places[:-1] == names}

    def routes(self) -> Iterator[str]:
        """Yield the names of the routes that something is said of, also where that is wrong."""
        said = (places[0] for name, values in self._values.items() if name.startswith(_PLACE) for places in values)
        lost = (facet.removeprefix("route ") for facet in self.lost if facet.startswith("route "))
        yield from dict.fromkeys([*said, *sorted(lost)])

    def says(self, facet: str) -> bool:
        """Say whether any key of a facet was said rightly, and none wrongly."""
        keys = (key.name for key in KEYS if key.facet == facet)
        return facet not in self.lost and any(name in self._values for name in keys)

    def keep(self, key: AnyKey, names: tuple[str, ...], value: object) -> None:
        """Note what a key says."""
        self._values.setdefault(key.name, {})[names] = value

    def lose(self, key: AnyKey, names: tuple[str, ...], message: str) -> None:
        """Note a mistake, and what it costs."""
        facet = key.lost(names)
        whole = key.facet and (facet if key.facet == "route" else f"what it says of {facet}")
        then = "it is not registered" if key.essential else f"{whole or 'it'} is left out"
        self.lost.add(facet)
        self.refused = self.refused or key.essential
        severity = Severity.ERROR if key.essential else Severity.WARNING
        self.note(key.at(*names), f"{message}; {then}", severity)

    def refuse(self, label: str, message: str) -> None:
        """Note why the container cannot be registered."""
        self.refused = True
        self.note(label, f"{message}; it is not registered", Severity.ERROR)

    def note(self, label: str, message: str, severity: Severity = Severity.WARNING) -> None:
        """Note a problem with a label, or (without one) with the container."""
        shown_label = label if len(label) <= MAX_KEY else f"{label[:64]}..."
        pointer = f"/labels/{escape(shown_label)}" if label else ""
        self.problems.append(Problem("container", self._name, pointer, message, severity))


def read(labels: Mapping[str, str], name: str) -> Found:
    """Return what the labels of a container say; those of others are not looked at."""
    found = Found(name)
    ours = ours_among(labels, found)
    if len(ours) > MAX_LABELS:
        found.refuse("", f"{len(ours)} labels of Fairlead, at most {MAX_LABELS} are read")
        return found
    for label, value in ours.items():
        _read(label.removeprefix(PREFIX), value, found)
    return found


def ours_among(labels: Mapping[str, str], found: Found | None = None) -> dict[str, str]:
    """Return the labels that are Fairlead's, all under the short prefix; where both are there, the short one holds."""
    ours = {label: value for label, value in labels.items() if label.startswith(PREFIX)}
    for label, value in labels.items():
        if not label.startswith(ALIAS):
            continue
        short = PREFIX + label.removeprefix(ALIAS)
        if ours.setdefault(short, value) != value and found is not None:
            found.note(label, f"says something else than {short}, which holds")
    return ours


def _read(name: str, value: str, found: Found) -> None:
    label = PREFIX + name
    if len(name) > MAX_KEY:
        found.note(label, f"a key of {len(name)} characters; it is left out")
        return
    known = KEYS.find(name)
    if known is None:
        near = KEYS.near(name)
        found.note(label, "nothing is known by that name" + (f"; did you mean {near}?" if near else ""))
        return
    key, names = known
    try:
        found.keep(key, names, key.type.read(check_text(value.strip())))
    except InvalidInput as error:
        found.lose(key, names, error.message)
        return
    if not key.acts:
        found.note(label, f"{shown(value)} is understood, and nothing acts on it yet")
