"""Made-up traffic: who comes when, and how each version would answer.

Every request carries its own chance, so that it meets the same fate on the same version in every run: what differs
between two runs is what the breaker did, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from xds.model.problems import InvalidInput
from xds.model.split import TOTAL, weight_from_percent
from xds.simulate.texts import NS_PER_MS, NS_PER_S, duration_ns, pairs, share, whole

USUAL_MS: Final = 10
"""How long an answer takes where nothing else is said."""
FAILED: Final = 503
GOOD: Final = 200
MOST_REQUESTS: Final = 5_000_000
FOREVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version answers, and nanoseconds until it does."""

    status: int = GOOD
    after_ns: int = USUAL_MS * NS_PER_MS

    @property
    def failed(self) -> bool:
        """Whether the user sees an error."""
        return self.status >= 500


@dataclass(frozen=True, slots=True)
class Request:
    """One request: nanoseconds from the beginning, the user's key, and what settles its fate.

    `chance` is from 0 to 1; `recorded` is the version that served it and its answer, where that is known.
    """

    at_ns: int
    key: bytes
    chance: float = 0.0
    recorded: tuple[str, Answer] | None = None


class Traffic(Protocol):
    """Where requests come from, in order of time, and how versions answer them."""

    def requests(self) -> Iterator[Request]:
        """All of them, the same at every call."""
        ...

    def answer(self, request: Request, version: str) -> Answer:
        """What this request meets on that version."""
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """How a version behaves from one moment until before another; `errors` is a share from 0 to 1."""

    errors: float = 0.0
    answer_ns: int = USUAL_MS * NS_PER_MS
    status: int = FAILED
    from_ns: int = 0
    to_ns: int = FOREVER


@dataclass(slots=True)
class Version:
    """A version, its share of the users in 10,000ths, and its phases; where two overlap the later one holds."""

    name: str
    weight: int
    phases: list[Phase] = field(default_factory=list)

    def phase(self, at_ns: int) -> Phase:
        """The phase at a moment; well and of the usual speed in between."""
        return next((each for each in reversed(self.phases) if each.from_ns <= at_ns < each.to_ns), _WELL)


_WELL: Final = Phase()


def read_versions(texts: Sequence[str]) -> tuple[Version, ...]:
    """Return the versions that `NAME=WEIGHT[,errors=E][,ms=M][,status=S][,from=T][,to=T]` describe.

    A name given again adds a phase. InvalidInput for what is none, and where weights do not add up to 100 percent.
    """
    found: dict[str, Version] = {}
    for text in texts:
        (name, weight), *told = pairs(text, pointer="/version")
        if name not in found:
            found[name] = Version(name, weight_from_percent(weight, pointer="/version"))
        elif weight:
            raise InvalidInput(f"{name!r} has its weight already; {text!r} can only add a phase", pointer="/version")
        if told:
            found[name].phases.append(_phase(told))
    total = sum(version.weight for version in found.values())
    if total != TOTAL:
        raise InvalidInput(f"the weights of all versions add up to {total / 100:g}, not to 100", pointer="/version")
    return tuple(found.values())


def _phase(told: Sequence[tuple[str, str]]) -> Phase:
    fields: dict[str, float] = {}
    for name, text in told:
        match name:
            case "errors":
                fields["errors"] = share(text, pointer="/version")
            case "ms":
                fields["answer_ns"] = whole(text, least=0, most=3_600_000, pointer="/version") * NS_PER_MS
            case "status":
                fields["status"] = whole(text, least=100, most=599, pointer="/version")
            case "from" | "to":
                fields[f"{name}_ns"] = duration_ns(text, pointer="/version")
            case _:
                raise InvalidInput(
                    f"a version has errors, ms, status, from and to; it has no {name!r}", pointer="/version"
                )
    return Phase(**fields)  # type: ignore[arg-type]  # each field was made by its own reader


@dataclass(frozen=True, slots=True)
class Generated:
    """`rate` requests a second by chance (Poisson) from `users` users, for `length_ns` nanoseconds."""

    versions: tuple[Version, ...]
    rate: float
    length_ns: int
    users: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what would never end."""
        expected = self.rate * self.length_ns / NS_PER_S
        if not 0 < expected <= MOST_REQUESTS:
            raise InvalidInput(f"that is {expected:,.0f} requests; a run has one to {MOST_REQUESTS:,}", pointer="/rate")

    def requests(self) -> Iterator[Request]:
        """All of them."""
        chance, at = random.Random(self.seed), 0.0
        while True:
            at += chance.expovariate(self.rate) * NS_PER_S
            if at >= self.length_ns:
                return
            yield Request(int(at), b"user-%d" % chance.randrange(self.users), chance.random())

    def answer(self, request: Request, version: str) -> Answer:
        """What the version's phase says, by the request's own chance."""
        phase = next(each for each in self.versions if each.name == version).phase(request.at_ns)
        return Answer(phase.status if request.chance < phase.errors else GOOD, phase.answer_ns)
