"""What the control plane is told of one container after the other: that it is there, what is other, and its end.

Whether it is to be told is decided elsewhere (`containers.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from xds.model.health import Health
from xds.model.problems import FairleadError
from xds.sources.docker.addresses import Candidate
from xds.sources.docker.effects import Effect, Register, Report, Withdraw
from xds.sources.docker.life import Life
from xds.sources.docker.registration import registration, signal


class Telling:
    """Puts it into words for `say`, and keeps in each life what was said of it; `host` names the engine's host."""

    def __init__(self, host: str, say: Callable[[Effect], None]) -> None:
        """Say nothing yet."""
        self._host = host
        self._say = say

    def registered(self, life: Life, place: Candidate) -> None:
        """Tell of a container that has proven a place."""
        said, facts, proof = life.said, life.facts, life.proof
        if said is None or facts is None or proof is None:
            return
        life.proof = None
        life.rejected = proof.rejected(place)
        try:
            life.told = registration(said, facts, place, self._findings(life, life.rejected))
        except FairleadError as error:
            life.trouble = f"{error.pointer}: {error.message}"
        else:
            self._say(Register(life.told))
            life.reported = None
            self.reported(life)

    def refreshed(self, life: Life) -> None:
        """Tell what is other about a container that goes on at its place, such as its name."""
        if life.told is None or life.said is None or life.facts is None:
            return
        rejected = life.told.instance.metadata.get("docker.rejected", "")
        with suppress(FairleadError):
            fresh = registration(life.said, life.facts, life.told.place, self._findings(life, (rejected,)))
            if fresh != life.told:
                life.told = fresh
                self._say(Register(fresh))

    def reported(self, life: Life) -> None:
        """Pass on what is new of the engine's own check: it costs traffic, where the control plane says how much."""
        said, facts = life.said, life.facts
        word = signal(facts) if said is not None and facts is not None and said.awaits_engine else None
        if said is None or word is None or word == life.reported:
            return
        if life.told is not None or word.health is Health.UNHEALTHY:
            life.reported = word
            self._say(Report(said.instance_id, word))

    def ended(self, life: Life, why: str) -> None:
        """Withdraw a container that was told of; it has nothing to prove, either."""
        life.proof = None
        if life.told is not None:
            instance = life.told.instance
            life.told = None
            self._say(Withdraw(instance.id, instance.epoch, why))

    def _findings(self, life: Life, rejected: tuple[str, ...]) -> dict[str, str]:
        problems = "; ".join(f"{problem.pointer}: {problem.message}" for problem in life.problems)
        return {"docker.host": self._host, "docker.rejected": "; ".join(rejected), "docker.problems": problems}
