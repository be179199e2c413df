"""Labels of what is registered already, so that all containers of a service can be looked at, whoever told of them.

The instance carries the labels that it was described by. What was not said there (a version that came from the image)
is a fact of the instance by now.
"""

from __future__ import annotations

from functools import lru_cache

from xds.labels import table
from xds.labels.describe import describe
from xds.labels.description import Container, Description
from xds.labels.reading import ours_among
from xds.model.instance import DEFAULT_PORT, Instance


def words_of(instance: Instance) -> dict[str, str]:
    """Return an instance's labels of Fairlead, completed by what is known of it; nothing for one that has none."""
    ours = ours_among(instance.labels)
    if not ours:
        return {}
    ports = {
        table.PORT_.label if name == DEFAULT_PORT else table.PORTS.at(name): str(number)
        for name, number in instance.ports.items()
    }
    identity = {
        table.ENABLE.label: "true",
        table.SERVICE.label: instance.service.name,
        table.ENV.label: instance.service.env,
        table.VERSION.label: instance.version,
    }
    return {**ours, **identity, **ports}


def redescribe(instance: Instance) -> Description | None:
    """Return what an instance was described by; None where that was not by labels."""
    words = words_of(instance)
    return _described(tuple(sorted(words.items()))) if words else None


@lru_cache(maxsize=4096)
def _described(words: tuple[tuple[str, str], ...]) -> Description | None:
    """Return a description of labels, once for all the containers of a version that have the same."""
    return describe(dict(words), Container()).description
