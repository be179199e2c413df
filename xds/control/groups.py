"""Groups as predicates: which resources of the one table a node of some profile sees.

Nothing is copied for a group. What differs between groups of one environment is a set of names, and the one route
configuration that a set of upstreams has of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from xds.cache.group import Group
from xds.model.node import NodeProfile, Role
from xds.model.reach import UpstreamNames, covers
from xds.translate import naming
from xds.wire.digest import digest
from xds.wire.types import ResourceType

_CLUSTERS = {ResourceType.CLUSTER, ResourceType.ENDPOINT}
_LISTENERS = {ResourceType.LISTENER, ResourceType.ROUTE}


@functools.lru_cache(maxsize=4096)
def group_of(profile: NodeProfile, upstreams: UpstreamNames | None) -> Group:
    """Return the group of nodes of this profile that see these services, None for all of their environment.

    They see their own listeners first, then endpoints as they are seen from their place, their scope's routes, their
    environment's resources and everybody's.
    """
    variant = profile.variant
    if profile.role is Role.GRPC:
        return Group(variant, (variant,))
    id_ = f"{variant}|{profile.place}" if profile.place else variant
    scope = () if upstreams is None else (profile.scope,)
    variants = dict.fromkeys(each for each in (variant, profile.place, *scope, profile.env) if each)
    if upstreams is None:
        return Group(id_, (*variants, ""))
    return Group(f"{id_}|{digest(','.join(upstreams).encode())}", (*variants, ""), _admits(frozenset(upstreams)))


def _admits(names: frozenset[str]) -> Callable[[ResourceType, str], bool]:
    def admits(type_: ResourceType, name: str) -> bool:
        if type_ in _CLUSTERS:
            service = naming.called_by_cluster(name)
        elif type_ in _LISTENERS:
            service = naming.called_by_listener(name)
        else:
            return True
        return not service or covers(names, service)

    return admits
