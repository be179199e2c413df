"""Addresses that several instances claim: only one process can listen there, so only one of them gets traffic.

Within a service the newest incarnation has it, that is the highest epoch, and of equal ones the highest id: a program
that was started anew under another id replaces the one that died, and a rule that looks at nothing but what is stored
decides the same after a restart. One whose lease has run out has it only while no other is there. The rest are told to
be out of EDS until the claim is theirs alone. Instances of different services may be one process with several names:
they are flagged, and keep their traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from xds.control.alarms import Alarms
from xds.control.ports import Entry
from xds.model.alarm import Alarm, Priority
from xds.model.fusion import LEASE
from xds.model.health import Health
from xds.model.instance import Address, Instance
from xds.model.intent import INSTANCE, Intent
from xds.model.problems import Problem, Severity
from xds.model.signal import Signal

SOURCE = "duplicate"

_Claim = tuple[str, int]


class Duplicates:
    """Who claims what. A claim costs one entry of a table; only contested ones are ever looked at again."""

    def __init__(
        self,
        intent: Intent,
        alarms: Alarms,
        observe: Callable[[str, Mapping[str, Signal | None]], None],
        words: Callable[[str], Mapping[str, Signal]],
    ) -> None:
        """Read `intent`, tell `alarms` and `observe`; `words` is what sources say of an instance now."""
        self._intent = intent
        self._alarms = alarms
        self._observe = observe
        self._words = words
        self._claims: dict[_Claim, str | set[str]] = {}
        self._contested: dict[_Claim, None] = {}
        self._told: dict[str, Signal] = {}
        self.problems: tuple[Problem, ...] = ()

    def committed(self, entries: Iterable[Entry]) -> None:
        """Take note of instances that came, moved or went."""
        is_concerned = False
        for entry in entries:
            if entry.name.kind is not INSTANCE:
                continue
            before = _claims(entry.before) if isinstance(entry.before, Instance) else ()
            after = _claims(entry.after) if isinstance(entry.after, Instance) else ()
            if before != after:
                for claim in before:
                    is_concerned |= claim in self._contested
                    self._drop(claim, entry.name.key)
                for claim in after:
                    is_concerned |= self._add(claim, entry.name.key)
            elif self._contested:
                is_concerned |= any(claim in self._contested for claim in after)
        if is_concerned:
            self._judge()

    async def look(self) -> None:
        """Judge again, since leases run out between commits; costs nothing while nothing is contested."""
        if self._contested:
            self._judge()

    def _add(self, claim: _Claim, member: str) -> bool:
        held = self._claims.get(claim)
        if held is None or held == member:
            self._claims[claim] = member
            return False
        if isinstance(held, set):
            held.add(member)
        else:
            self._claims[claim] = {held, member}
        self._contested[claim] = None
        return True

    def _drop(self, claim: _Claim, member: str) -> None:
        held = self._claims.get(claim)
        if isinstance(held, set):
            held.discard(member)
            if len(held) == 1:
                self._claims[claim] = held.pop()
                del self._contested[claim]
        elif held == member:
            del self._claims[claim]

    def _judge(self) -> None:
        told: dict[str, Signal] = {}
        problems: list[Problem] = []
        alarms: list[Alarm] = []
        for claim in self._contested:
            members = [self._intent.instances[m] for m in sorted(self._claims[claim]) if m in self._intent.instances]
            address, several = str(Address(*claim)), False
            for _, group in groupby(sorted(members, key=_service), key=_service):
                rivals = sorted(group, key=self._rank)
                winner = rivals[-1]
                for loser in rivals[:-1]:
                    several = True
                    words = f"{address} is claimed by {winner.id} too, which is newer and gets the traffic"
                    told[loser.id] = Signal(Health.DRAINING, words)
                    problems.append(Problem("instance", loser.id, "/address", words))
                    words = f"{address} is claimed by {loser.id} too, which gets no traffic"
                    problems.append(Problem("instance", winner.id, "/address", words, Severity.WARNING))
            names = ", ".join(f"{each.id} of {each.service}" for each in members)
            if several:
                alarms.append(Alarm(SOURCE, address, f"several instances claim it: {names}; one gets the traffic"))
            else:
                words = f"{address} has several services: {names}; right only for one process with several names"
                alarms.append(Alarm(SOURCE, address, words, Priority.NOTE))
                problems += [Problem("instance", each.id, "/address", words, Severity.WARNING) for each in members]
        self._tell(told)
        self.problems = tuple(sorted(set(problems)))
        self._alarms.set(SOURCE, alarms)

    def _tell(self, told: dict[str, Signal]) -> None:
        """Say what is new, take back what is over."""
        said: dict[str, Signal | None] = {m: signal for m, signal in told.items() if self._told.get(m) != signal}
        said.update(dict.fromkeys(self._told.keys() - told.keys()))
        self._told = told
        if said:
            self._observe(SOURCE, said)

    def _rank(self, instance: Instance) -> tuple[bool, int, str]:
        return LEASE not in self._words(instance.id), instance.epoch, instance.id


def _service(instance: Instance) -> str:
    return str(instance.service)


def _claims(instance: Instance) -> Sequence[_Claim]:
    """Return where Envoys send an instance's requests."""
    if instance.ingress is None:
        return [(instance.address, number) for number in instance.ports.values()]
    _, *others = instance.ports.values()
    return [(instance.ingress.host, instance.ingress.port), *((instance.address, number) for number in others)]
