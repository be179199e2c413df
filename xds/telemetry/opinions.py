"""What Envoys tell becomes words about instances: `traffic` from load reports, `breaker` from the filter's breakers.

A look costs what was reported since, not the registry. It knows clusters and addresses, and asks for members only where
there was traffic; what the counts come to is `xds.model.outliers`' knowledge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from xds.model.breaker import BreakerState, Reported
from xds.model.health import Health
from xds.model.names import ServiceKey
from xds.model.outliers import Outliers
from xds.model.signal import Signal
from xds.model.traffic import Attempts
from xds.model.view import Member, ServiceView
from xds.translate import naming

from .breakers import Breakers
from .traffic import Traffic

EVERY: Final = 5.0
SECONDS: Final = 30.0
"""The window that is judged: three reports of each Envoy."""
TRAFFIC: Final = "traffic"
BREAKER: Final = "breaker"
_CUT_OFF: Final = {BreakerState.OPEN, BreakerState.PROBING, BreakerState.FORCED_OPEN}

View = Callable[[ServiceKey], ServiceView | None]
Observe = Callable[[str, Mapping[str, Signal | None]], None]


class Opinions:
    """Looks at what was reported every five seconds, and says what is new of it."""

    def __init__(self, traffic: Traffic, breakers: Breakers, view: View, clock: Callable[[], float]) -> None:
        """Read `traffic` and `breakers`; `view` gives a service's members."""
        self._traffic = traffic
        self._breakers = breakers
        self._view = view
        self._clock = clock
        self._outliers = Outliers()
        self._cut_off: dict[str, Signal] = {}
        self._addresses: dict[ServiceKey, tuple[tuple[Member, ...], Mapping[str, str]]] = {}

    async def run(self, observe: Observe) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY)
            for source, said in ((TRAFFIC, self.of_traffic()), (BREAKER, self.of_breakers())):
                if said:
                    observe(source, said)

    def of_traffic(self) -> dict[str, Signal | None]:
        """Return what is new of single instances by what endpoints answered."""
        now = self._clock()
        by_service: dict[ServiceKey, dict[str, Attempts]] = {}
        for (env, cluster), endpoints in self._traffic.endpoints(SECONDS).items():
            key = self._service(env, naming.read_cluster(cluster).service)
            ids = self._ids(key)
            counted = by_service.setdefault(key, {})
            for address, attempts in endpoints.items():
                if (member := ids.get(address)) is not None:
                    counted.setdefault(member, Attempts()).join(attempts)
        said: dict[str, Signal | None] = {}
        for key, counted in by_service.items():
            said |= self._outliers.judge(counted, len(self._addresses[key][1]), now)
        heard = {member for counted in by_service.values() for member in counted}
        self._addresses = {key: known for key, known in self._addresses.items() if key in by_service}
        return said | self._outliers.silent(heard, now)

    def of_breakers(self) -> dict[str, Signal | None]:
        """Return what is new of the instances of subsets that at least half of the Envoys that tell have cut off."""
        cut_off: dict[str, Signal] = {}
        for (env, cluster), nodes in self._breakers.by_cluster().items():
            word = _cut_off(nodes)
            if word is None:
                continue
            of = naming.read_cluster(cluster)
            view = self._view(self._service(env, of.service))
            for member in view.subsets.get(of.subset, ()) if view is not None else ():
                cut_off[member.instance.id] = word
        gone: dict[str, Signal | None] = dict.fromkeys(self._cut_off.keys() - cut_off.keys())
        new = {member: word for member, word in cut_off.items() if member not in self._cut_off}
        self._cut_off = cut_off
        return gone | new

    def _service(self, env: str, called: str) -> ServiceKey:
        """Return the service that is called so; `web.admin` may be a service, or a named port of one."""
        key = ServiceKey(env, called)
        if "." in called and self._view(key) is None:
            return ServiceKey(env, called.rpartition(".")[0])
        return key

    def _ids(self, key: ServiceKey) -> Mapping[str, str]:
        """Return the instances of a service by the addresses of their ports; made anew when a member changes."""
        view = self._view(key)
        members = view.members if view is not None else ()
        known = self._addresses.get(key)
        if known is None or known[0] is not members:
            known = self._addresses[key] = (members, dict(_places(members)))
        return known[1]


def _places(members: Iterable[Member]) -> Iterable[tuple[str, str]]:
    for member in members:
        for port in member.instance.ports:
            yield str(member.instance.endpoint(port)), member.instance.id


def _cut_off(nodes: Mapping[str, Reported]) -> Signal | None:
    cut = sum(reported.state in _CUT_OFF for reported in nodes.values())
    if 2 * cut < len(nodes) or not cut:
        return None
    why = f"its subset is cut off by the breakers of {cut} of {len(nodes)} Envoys"
    return Signal(Health.UNSTABLE, why, {"cut_off": cut, "envoys": len(nodes)})
