"""The egress of sidecars that may call some services only: one route configuration per set of upstreams in use.

A scope shares every virtual host that leads to nothing but its upstreams with everybody else, so that it costs a look
at what changed, and a join when that concerns it. Knows sets of names; refuses to know who has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from xds.model.reach import UpstreamNames

from .hosts import Site


class Scopes:
    """The virtual hosts of each set of upstreams."""

    def __init__(self) -> None:
        """Start without any."""
        self._sites: dict[UpstreamNames, dict[str, Site]] = {}

    def settle(
        self, wanted: Set[UpstreamNames], hosts: Mapping[str, Site], changed: Iterable[str]
    ) -> set[UpstreamNames]:
        """Keep the sets in use up to date with `hosts`, of which `changed` did; return those that came or changed."""
        for upstreams in self._sites.keys() - wanted:
            del self._sites[upstreams]
        touched = set(wanted - self._sites.keys())
        for upstreams in touched:
            found = ((host, site.within(upstreams)) for host, site in hosts.items())
            self._sites[upstreams] = {host: site for host, site in found if site is not None}
        for host in changed:
            site = hosts.get(host)
            for upstreams, sites in self._sites.items():
                seen = site.within(upstreams) if site is not None else None
                if seen is not sites.get(host):
                    touched.add(upstreams)
                if seen is not None:
                    sites[host] = seen
                else:
                    sites.pop(host, None)
        return touched

    def sites(self, upstreams: UpstreamNames) -> list[Site]:
        """Return the virtual hosts of a set, by name."""
        found = self._sites[upstreams]
        return [found[host] for host in sorted(found)]
