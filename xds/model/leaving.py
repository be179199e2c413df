"""Who has to stay a little after it is gone: the last endpoint of a subset that routes still send users to.

Endpoints travel before routes, so without it the users of that subset would meet an empty cluster until the route that
falls back arrives. How long it stays is somebody else's knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from xds.model.instance import Instance
from xds.model.selector import Selector
from xds.model.service import Subset


def empties(gone: Instance, declared: Iterable[Subset], wanted: Set[str], serving: Iterable[Instance]) -> bool:
    """Say whether without `gone` one of the `wanted` subsets has nobody, while somebody else of the service serves.

    When nobody at all serves there is nothing to fall back to, and keeping it is pointless. Looks at no more of
    `serving` than it must: at one, as a rule, while another member of the same version is there.
    """
    selectors = {subset.name: subset.selector for subset in declared if subset.selector.matches(gone.facts)}
    lost = {gone.version, *selectors} & wanted
    anybody = False
    for other in serving if lost else ():
        anybody = True
        lost -= {name for name in lost if _belongs(other, name, selectors.get(name))}
        if not lost:
            return False
    return bool(lost) and anybody


def _belongs(instance: Instance, subset: str, selector: Selector | None) -> bool:
    return instance.version == subset if selector is None else selector.matches(instance.facts)
