"""A moment in scratch: what was declared then, translated by itself, and what two moments differ in. Pure.

It shows what Envoys like the present ones would have been sent. What was held, leaving or lingering at the time is not
in it: that stood without a declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds.control.ports import Moment
from xds.model.health import Health
from xds.model.intent import Declared, Intent, Ref
from xds.model.node import NodeProfile
from xds.translate.build import Builder
from xds.translate.outputs import FilterSpec, OutputKey


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of a moment, encoded, by type, name and variant."""

    by_key: Mapping[OutputKey, bytes]


def intent_of(moment: Moment, health: Mapping[str, Health]) -> Intent:
    """Return the intent of a moment; `health` is what is known now, of those whose health did not change since."""
    intent = Intent()
    intent.restore(((declared, 0) for declared in moment.objects.values()), moment.revision)
    intent.observe_health({**health, **moment.health})
    return intent


def translate(intent: Intent, spec: FilterSpec | None, profiles: frozenset[NodeProfile]) -> Resources:
    """Return the resources of an intent, made from nothing."""
    dirty = intent.take_dirty()
    gateways = {
        env: tuple(sorted((g for g in intent.gateways.values() if g.key.env == env), key=lambda gateway: gateway.key))
        for env in dirty.gateways
    }
    built = Builder(spec).build({key: intent.view(key) for key in dirty.services}, gateways, profiles)
    return Resources({OutputKey(each.type, each.name, each.variant): each.value for each in built.upserts})


def objects_changed(before: Moment, after: Moment) -> Mapping[Ref, tuple[Declared | None, Declared | None]]:
    """Return what differs between two moments, by name, in order."""
    names = before.objects.keys() | after.objects.keys()
    pairs = {name: (before.objects.get(name), after.objects.get(name)) for name in names}
    changed = sorted(name for name, (old, new) in pairs.items() if old != new)  # to sort all would hold everybody up
    return {name: pairs[name] for name in changed}


def resources_changed(before: Resources, after: Resources) -> Mapping[OutputKey, tuple[bytes | None, bytes | None]]:
    """Return which resources differ, in order of type, name and variant."""
    names = before.by_key.keys() | after.by_key.keys()
    pairs = {name: (before.by_key.get(name), after.by_key.get(name)) for name in names}
    changed = [name for name, (old, new) in pairs.items() if old != new]
    changed.sort(key=lambda name: (name.type.short, name.name, name.variant))
    return {name: pairs[name] for name in changed}
