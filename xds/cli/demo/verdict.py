"""What is held against the demo: expectations, each with what was seen. Pure.

A share is judged twice. Against the users: their buckets are known, so how many of them belong to the new version is
a count, and every single one has to be there. Against the weight: the users are a sample of all possible ones, so
their share may differ from the weight by chance; four standard deviations of a binomial are allowed, and at least one
point.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from xds.cli.demo.ledger import Ledger, Window

LEAST_REQUESTS = 2_000
LEAST_TOLERANCE = 1.0  # percentage points


@dataclass(frozen=True, slots=True)
class Gate:
    """What the API said of a weight: how many of the live Envoys have acknowledged it, and after how many seconds."""

    state: str
    acked: int
    live: int
    seconds: float
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Say whether the weight is live everywhere."""
        return self.state == "done" and self.acked == self.live > 0


@dataclass(frozen=True, slots=True)
class Measured:
    """One step as seen from outside. Weights and shares are percent; `users_*` count users at the new version."""

    step: str
    weight: float
    gate: Gate
    envoys: int
    requests: int
    wanted_requests: int
    users: int
    users_wanted: int
    users_seen: int
    share: float
    turncoats: int
    misplaced: str
    went_back: str
    failed: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An expectation that did not hold."""

    step: str
    expectation: str
    expected: str
    seen: str

    def __str__(self) -> str:
        """Return one sentence for people."""
        return f"{self.step}: {self.expectation}: expected {self.expected}, seen {self.seen}"


def measure(step: str, gate: Gate, envoys: int, ledger: Ledger, window: Window) -> Measured:
    """Return what a window shows of the weight that the ledger wants; `envoys` is how many Envoys there are."""
    on_new = window.by_version.get(ledger.new, 0)
    return Measured(
        step=step,
        weight=ledger.wanted.weights.get(ledger.new, 0) / 100,
        gate=gate,
        envoys=envoys,
        requests=window.answered,
        wanted_requests=max(window.size, LEAST_REQUESTS),
        users=len(ledger.users),
        users_wanted=ledger.on_new(ledger.wanted),
        users_seen=sum(version == ledger.new for version in window.users.values()),
        share=100 * on_new / max(1, sum(window.by_version.values())),
        turncoats=window.turncoats,
        misplaced=str(ledger.misplaced),
        went_back=str(ledger.went_back),
        failed=str(ledger.failed),
    )


def tolerance(weight: float, users: int) -> float:
    """Return how many points the share of `users` users may differ from `weight` percent by chance."""
    part = weight / 100
    return max(LEAST_TOLERANCE, 100 * 4 * sqrt(part * (1 - part) / max(1, users)))


def judge(seen: Measured) -> tuple[Broken, ...]:
    """Return every expectation that `seen` breaks; none when all of them held."""
    allowed = tolerance(seen.weight, seen.users)
    held = [
        ("Envoys that acknowledged", f"{seen.envoys} of {seen.envoys}", _words(seen.gate), _all_acked(seen)),
        ("failed requests", "0", seen.failed, seen.failed == "0"),
        ("users that went back", "0", seen.went_back, seen.went_back == "0"),
        ("users away from where the hash puts them", "0", seen.misplaced, seen.misplaced == "0"),
        (
            "users answered by one version only since the step was done",
            "all",
            f"{seen.turncoats} answers of another one",
            seen.turncoats == 0,
        ),
        (
            "requests since the step was done",
            f"at least {seen.wanted_requests:,}",
            f"{seen.requests:,}",
            seen.requests >= seen.wanted_requests,
        ),
        (
            "users at the new version",
            f"exactly {seen.users_wanted:,} of {seen.users:,}",
            f"{seen.users_seen:,}",
            seen.users_seen == seen.users_wanted,
        ),
        (
            "share of the new version",
            f"{seen.weight:g} % within {allowed:.2f} points",
            f"{seen.share:.2f} %",
            abs(seen.share - seen.weight) <= allowed,
        ),
    ]
    return tuple(Broken(seen.step, name, wanted, found) for name, wanted, found, ok in held if not ok)


def _all_acked(seen: Measured) -> bool:
    return seen.gate.is_done and seen.gate.live == seen.envoys


def _words(gate: Gate) -> str:
    reason = f": {gate.reason}" if gate.reason else ""
    return f"{gate.acked} of {gate.live}, {gate.state} after {gate.seconds:.1f} s{reason}"
