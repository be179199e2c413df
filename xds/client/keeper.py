"""What a client has to say next, and what each answer means: no socket, no thread, no clock of its own.

`Fairlead` and `AsyncFairlead` are two ways to carry it out. Moments are monotonic seconds, chance is a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final, cast

from xds.client.errors import (
    Busy,
    ClientError,
    RegisterAgain,
    StaleEpoch,
    Unauthenticated,
    Unreachable,
    refused,
)

FIRST_PAUSE: Final = 0.2  # seconds before the second attempt; each further one waits twice as long
LONGEST_PAUSE: Final = 30.0
TOGETHER: Final = 0.2  # of a renewal's interval: what is due that soon is said in the same request


class State(StrEnum):
    """How a registration stands."""

    PENDING = "pending"
    REGISTERED = "registered"
    LOST = "lost"
    GONE = "gone"


@dataclass(eq=False)
class Registration:
    """One instance that a client keeps registered.

    PENDING until the control plane has it (it may be away); LOST when it was refused and is kept no longer, with the
    reason in `error`; GONE once it was deregistered. `id`, `epoch` and `seq` are what the control plane knows it by.
    """

    document: dict[str, object]
    id: str = ""
    epoch: int = 0
    seq: int = 0
    state: State = State.PENDING
    error: ClientError | None = None
    due: float = 0.0
    failures: int = field(default=0, repr=False)

    @property
    def interval(self) -> float:
        """Return the seconds between two renewals: half of the ttl, for ever without one."""
        ttl = self.document.get("ttl")
        return float(cast("float", ttl)) / 2 if ttl is not None else inf


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the API, and whom it is about, in the order of the body's items."""

    method: str
    path: str
    body: Mapping[str, object] | None
    about: tuple[Registration, ...]


class Keeper:
    """Knows every registration of one client, and when each is due."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """Start with none; `chance` returns numbers from 0 to 1."""
        self._chance = chance
        self.registrations: list[Registration] = []

    def add(self, document: dict[str, object]) -> Registration:
        """Keep another instance; it is due at once."""
        registration = Registration(document, id=str(document.get("id", "")))
        self.registrations.append(registration)
        return registration

    def change(self, registration: Registration, changes: Mapping[str, object]) -> dict[str, object]:
        """Say something else of an instance from now on; it is due at once. Return what was said before."""
        before = registration.document
        registration.document = {**before, **changes}
        registration.state, registration.due, registration.error = State.PENDING, 0.0, None
        if registration not in self.registrations:
            self.registrations.append(registration)
        return before

    def restore(self, registration: Registration, before: dict[str, object]) -> None:
        """Take back a change that was refused: what was registered before still is, unless somebody else took it."""
        registration.document = before
        if registration.epoch and not isinstance(registration.error, StaleEpoch):
            registration.state, registration.error, registration.due = State.REGISTERED, None, 0.0

    def due(self, now: float) -> Ask | None:
        """Return what is to be said now, one request at a time; None when nothing is."""
        for registration in self.registrations:
            if registration.state is State.PENDING and registration.due <= now:
                return self.registering(registration)
        kept = [each for each in self.registrations if each.state is State.REGISTERED and each.due < inf]
        if not any(each.due <= now for each in kept):
            return None
        return self._renewing([each for each in kept if each.due <= now + TOGETHER * each.interval])

    def pause(self, now: float) -> float:
        """Return for how many seconds there is nothing to say; infinity for ever."""
        moments = [each.due for each in self.registrations if each.state in {State.PENDING, State.REGISTERED}]
        return max(0.0, min(moments, default=inf) - now)

    def registering(self, registration: Registration) -> Ask:
        """Return the request that registers an instance; what was registered before goes on counting its messages."""
        body = dict(registration.document)
        if registration.epoch:
            registration.seq += 1
            body |= {"epoch": registration.epoch, "seq": registration.seq}
        if registration.id:
            return Ask("PUT", f"/v1/instances/{registration.id}", body, (registration,))
        return Ask("POST", "/v1/instances", body, (registration,))

    def leaving(self) -> list[Ask]:
        """Return the requests that deregister everybody who may be registered."""
        there = [each for each in self.registrations if each.id and each.state in {State.PENDING, State.REGISTERED}]
        return [self.deregistering(each) for each in there]

    def deregistering(self, registration: Registration) -> Ask:
        """Return the request that takes an instance out; a newer incarnation is not touched by it."""
        query = f"?epoch={registration.epoch}" if registration.epoch else ""
        return Ask("DELETE", f"/v1/instances/{registration.id}{query}", None, (registration,))

    def answered(self, ask: Ask, answer: Mapping[str, object], now: float) -> None:
        """Take note of an answer."""
        if ask.method == "DELETE":
            self.gone(ask.about)
        elif ask.path == "/v1/heartbeats:batch":
            results = cast("list[dict[str, object]]", answer.get("results", []))
            for registration, result in zip(ask.about, results, strict=False):
                problem = cast("dict[str, object] | None", result.get("error"))
                if problem is None:
                    self._renewed(registration, now)
                else:
                    self._failed(registration, refused(cast("int", problem.get("status", 500)), problem), now)
        elif ask.path.endswith("/heartbeat"):
            self._renewed(ask.about[0], now)
        else:
            (registration,) = ask.about
            registration.id = str(answer["id"])
            registration.epoch, registration.seq = int(str(answer["epoch"])), int(str(answer["seq"]))
            self._renewed(registration, now)

    def failed(self, ask: Ask, error: ClientError, now: float) -> None:
        """Take note that there was no answer, or that it was a no."""
        if ask.method == "DELETE":
            self.gone(ask.about)
            return
        for registration in ask.about:
            self._failed(registration, error, now)

    def gone(self, registrations: Iterable[Registration]) -> None:
        """Keep these no longer."""
        for registration in registrations:
            registration.state = State.GONE
            if registration in self.registrations:
                self.registrations.remove(registration)

    def _renewing(self, registrations: list[Registration]) -> Ask:
        items = []
        for each in registrations:
            each.seq += 1
            items.append({"id": each.id, "epoch": each.epoch, "seq": each.seq})
        if len(items) == 1:
            alone = {"epoch": items[0]["epoch"], "seq": items[0]["seq"]}
            return Ask("PUT", f"/v1/instances/{registrations[0].id}/heartbeat", alone, tuple(registrations))
        return Ask("POST", "/v1/heartbeats:batch", {"items": items}, tuple(registrations))

    def _renewed(self, registration: Registration, now: float) -> None:
        registration.state, registration.error, registration.failures = State.REGISTERED, None, 0
        registration.due = now + registration.interval * (0.8 + 0.2 * self._chance())

    def _failed(self, registration: Registration, error: ClientError, now: float) -> None:
        """Register again, try again later, or give up; whoever was replaced must not fight for its place."""
        registration.error = error
        if isinstance(error, RegisterAgain):
            registration.state, registration.due = State.PENDING, now
        elif isinstance(error, StaleEpoch) and error.pointer == "/seq":
            # Somebody else, an operator perhaps, changed the same incarnation: count on from there.
            registration.state, registration.due, registration.epoch = State.PENDING, now, 0
        elif isinstance(error, Unreachable | Busy | Unauthenticated):  # tokens change, and this process did not
            longest = min(LONGEST_PAUSE, registration.interval)
            pause = min(longest, FIRST_PAUSE * 2.0 ** min(registration.failures, 16))
            registration.failures += 1
            registration.due = now + pause * (0.5 + 0.5 * self._chance())
        else:
            registration.state = State.LOST
