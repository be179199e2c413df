"""A rollout: one version of a service on its way to all users, as a table of legal steps.

`advance` is pure: it takes a rollout and an event and returns the rollout that follows. Whether the Envoys have
acknowledged a weight, and how long a pause has lasted, is somebody else's knowledge and arrives as an event. A
phase says what was decided; whether it is blocked at the moment is observed, not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from xds.model.analysis import Analysis, Judged, Judgement, Ruling
from xds.model.names import ServiceKey, check_id
from xds.model.preview import Preview
from xds.model.problems import Conflict, InvalidInput
from xds.model.split import TOTAL

MAX_STEPS = 100
MAX_JUDGED = 50
MAX_PAUSE = 7 * 86_400.0


class Phase(StrEnum):
    """Where a rollout stands.

    SHIFTING a weight is published and not yet acknowledged by every live Envoy · HOLDING it is, and the step's pause
    runs · PAUSED an operator decides next · PROMOTING everything goes to the new version · ABORTING everything goes
    back · SUCCEEDED, ABORTED the end.
    """

    SHIFTING = "shifting"
    HOLDING = "holding"
    PAUSED = "paused"
    PROMOTING = "promoting"
    ABORTING = "aborting"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"

    @property
    def is_over(self) -> bool:
        """Say whether nothing more will happen."""
        return self in {Phase.SUCCEEDED, Phase.ABORTED}

    @property
    def is_undecided(self) -> bool:
        """Say whether the new version may still be promoted or taken back."""
        return self in {Phase.SHIFTING, Phase.HOLDING, Phase.PAUSED}


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of a plan, in 10,000ths, and the seconds it is held; None waits for an operator."""

    weight: int
    pause: float | None = 0.0

    def __post_init__(self) -> None:
        """Refuse weights outside 0 to 10,000 and pauses below 0 or above a week."""
        if not 0 <= self.weight <= TOTAL:
            raise InvalidInput(f"weight {self.weight / 100:g} is not between 0 and 100 percent", pointer="/weight")
        if self.pause is not None and not 0 <= self.pause <= MAX_PAUSE:  # NaN fails both comparisons
            raise InvalidInput(f"pause {self.pause} is not between 0 and {MAX_PAUSE:g} seconds", pointer="/pause")


WAITS = Step(0, None)
"""The first step of a rollout that nobody has begun yet."""


@dataclass(frozen=True, slots=True)
class Acked:
    """Every live Envoy that holds the route has acknowledged the present weight."""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The present step's pause is over, and it was judged good where it is judged at all."""

    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The version was judged bad: everybody is given back."""

    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Doubted:
    """The version was judged bad, or could not be judged: the plan stops where it is, and somebody decides."""

    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator stops the plan where it is."""


@dataclass(frozen=True, slots=True)
class Resume:
    """An operator lets the plan go on."""


@dataclass(frozen=True, slots=True)
class SetWeight:
    """An operator takes over and sets a weight (10,000ths); the plan waits until it is resumed."""

    weight: int


@dataclass(frozen=True, slots=True)
class Promote:
    """An operator makes the new version the stable one."""


@dataclass(frozen=True, slots=True)
class Abort:
    """An operator returns every user to the stable version."""


Event = Acked | Elapsed | Failed | Doubted | Pause | Resume | SetWeight | Promote | Abort

STEPS: Mapping[tuple[Phase, type[Event]], Phase] = {
    (Phase.SHIFTING, Acked): Phase.HOLDING,
    (Phase.SHIFTING, Failed): Phase.ABORTING,
    (Phase.SHIFTING, Doubted): Phase.PAUSED,
    (Phase.SHIFTING, Pause): Phase.PAUSED,
    (Phase.SHIFTING, SetWeight): Phase.SHIFTING,
    (Phase.SHIFTING, Promote): Phase.PROMOTING,
    (Phase.SHIFTING, Abort): Phase.ABORTING,
    (Phase.HOLDING, Elapsed): Phase.SHIFTING,
    (Phase.HOLDING, Failed): Phase.ABORTING,
    (Phase.HOLDING, Doubted): Phase.PAUSED,
    (Phase.HOLDING, Pause): Phase.PAUSED,
    (Phase.HOLDING, SetWeight): Phase.SHIFTING,
    (Phase.HOLDING, Promote): Phase.PROMOTING,
    (Phase.HOLDING, Abort): Phase.ABORTING,
    (Phase.PAUSED, Acked): Phase.PAUSED,
    (Phase.PAUSED, Failed): Phase.ABORTING,
    (Phase.PAUSED, Pause): Phase.PAUSED,
    (Phase.PAUSED, Resume): Phase.SHIFTING,
    (Phase.PAUSED, SetWeight): Phase.SHIFTING,
    (Phase.PAUSED, Promote): Phase.PROMOTING,
    (Phase.PAUSED, Abort): Phase.ABORTING,
    (Phase.PROMOTING, Acked): Phase.SUCCEEDED,
    (Phase.PROMOTING, Abort): Phase.ABORTING,
    (Phase.ABORTING, Acked): Phase.ABORTED,
    (Phase.ABORTING, Abort): Phase.ABORTING,
    (Phase.SUCCEEDED, Abort): Phase.SUCCEEDED,
    (Phase.ABORTED, Abort): Phase.ABORTED,
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary in progress, or the record of one that is over.

    `step` is the index into `plan` (-1 before the first, or without a plan), `weight` the share in 10,000ths that is
    wanted now, `acked` whether that weight has been acknowledged, `manual` whether an operator set it. `preview` is who
    reaches the new version beside that, as long as the rollout is on its way.
    `analysis` is by what it is judged, `judged` the last steps that were, the oldest first.
    """

    id: str
    service: ServiceKey
    version: str
    stable: str
    plan: tuple[Step, ...] = ()
    auto_promote: bool = False
    phase: Phase = Phase.SHIFTING
    step: int = -1
    weight: int = 0
    acked: bool = False
    manual: bool = False
    reason: str = ""
    owner: str = ""
    preview: Preview | None = None
    analysis: Analysis | None = None
    judged: tuple[Judged, ...] = ()

    @classmethod
    def start(
        cls,
        rollout_id: str,
        service: ServiceKey,
        version: str,
        stable: str,
        plan: tuple[Step, ...] = (),
    ) -> Rollout:
        """Return a rollout at the first weight of its plan, or at 0 without one."""
        check_id(version, pointer="/version", what="version")
        if version == stable:
            raise InvalidInput(f"{version} is already the stable version of {service}", pointer="/version")
        if len(plan) > MAX_STEPS:
            raise InvalidInput(f"{len(plan)} steps, at most {MAX_STEPS} are allowed", pointer="/plan")
        first = cls(rollout_id, service, version, stable, plan)
        return replace(first, step=0, weight=plan[0].weight) if plan else first

    @property
    def weights(self) -> dict[str, int]:
        """Return the wanted weight of both versions, stable first."""
        return {self.stable: TOTAL - self.weight, self.version: self.weight}

    @property
    def shown(self) -> Preview | None:
        """Return the preview that holds: none once everybody goes to the new version, or back."""
        return self.preview if self.phase.is_undecided else None

    @property
    def last_judgement(self) -> Judgement | None:
        """Return the last word about a step."""
        return self.judged[-1].judgement if self.judged else None

    @property
    def is_doubted(self) -> bool:
        """Say whether a judgement has stopped it where it stands, and nobody has decided since."""
        last = self.last_judgement
        return self.phase is Phase.PAUSED and last is not None and self.reason == _doubt(last)

    @property
    def is_given_back(self) -> bool:
        """Say whether a judgement has given everybody back."""
        return bool(self.judged) and self.judged[-1].ruling is Ruling.GIVE_BACK

    @property
    def is_untouched(self) -> bool:
        """Say whether it still waits at nobody for its first word, so that another one may take its place."""
        waits = self.phase in {Phase.SHIFTING, Phase.PAUSED}
        return waits and not self.manual and self.step == 0 and self.plan[0] == WAITS

    @property
    def following(self) -> int | None:
        """Return the index of the plan's next step, or None at its end.

        After a manual weight that is the first step from the present one on that asks for more: who stepped back from
        25 to 10 percent is led through 25 again.
        """
        if not self.manual:
            return self.step + 1 if self.step + 1 < len(self.plan) else None
        more = (at for at in range(max(self.step, 0), len(self.plan)) if self.plan[at].weight > self.weight)
        return next(more, None)


def advance(rollout: Rollout, event: Event) -> Rollout:
    """Return what follows `event`; Conflict (code `illegal_step`) when it may not happen in this phase."""
    phase = STEPS.get((rollout.phase, type(event)))
    if phase is None:
        verb = type(event).__name__.lower().replace("setweight", "set the weight of")
        raise Conflict(f"cannot {verb} rollout {rollout.id}: it is {rollout.phase}", code="illegal_step")
    match event:
        case Abort() if phase is rollout.phase:
            return rollout  # a second abort, or one after the end, changes nothing
        case Abort():
            return replace(rollout, phase=phase, weight=0, acked=False, reason="aborted by an operator")
        case Promote():
            return replace(rollout, phase=phase, weight=TOTAL, acked=False, reason="")
        case SetWeight(weight):
            Step(weight)
            return replace(rollout, phase=phase, weight=weight, acked=False, manual=True, reason="")
        case Pause():
            return replace(rollout, phase=phase, reason="paused by an operator")
        case Resume():
            return _next(rollout) if rollout.acked else replace(rollout, phase=phase, reason="")
        case Elapsed(judgement):
            return _next(rollout if judgement is None else _noted(rollout, judgement, Ruling.GO_ON))
        case Failed(judgement):
            reason = f"taken back: {judgement.reason}"
            given_back = _noted(rollout, judgement, Ruling.GIVE_BACK)
            return replace(given_back, phase=phase, weight=0, acked=False, reason=reason)
        case Doubted(judgement):
            return replace(_noted(rollout, judgement, Ruling.STOP), phase=phase, reason=_doubt(judgement))
        case Acked():
            return _acked(replace(rollout, acked=True), phase)


def _noted(rollout: Rollout, judgement: Judgement, ruling: Ruling) -> Rollout:
    """Keep what was said of the present step."""
    said = Judged(rollout.step, rollout.weight, judgement, ruling)
    return replace(rollout, judged=(*rollout.judged, said)[-MAX_JUDGED:])


def _doubt(judgement: Judgement) -> str:
    return f"{judgement.reason}: resume, promote or abort"


def _acked(rollout: Rollout, phase: Phase) -> Rollout:
    """Hold the step's weight, or wait for the operator where the plan has nothing more to say."""
    if phase is not Phase.HOLDING:
        return replace(rollout, phase=phase)
    if rollout.manual or rollout.step < 0:
        return replace(rollout, phase=Phase.PAUSED, reason="weight set by hand: resume, promote or abort")
    if rollout.plan[rollout.step].pause is None:
        return replace(rollout, phase=Phase.PAUSED, reason="the plan waits here: resume, promote or abort")
    return replace(rollout, phase=phase, reason="")


def _next(rollout: Rollout) -> Rollout:
    """Take the plan's next step; at its end promote, or wait for somebody who does."""
    at = rollout.following
    if at is not None:
        weight = rollout.plan[at].weight
        return replace(rollout, phase=Phase.SHIFTING, step=at, weight=weight, acked=False, manual=False, reason="")
    if rollout.auto_promote:
        return replace(rollout, phase=Phase.PROMOTING, weight=TOTAL, acked=False, manual=False, reason="")
    if rollout.phase is Phase.PAUSED:
        raise Conflict(f"the plan of rollout {rollout.id} is finished: promote or abort it", code="illegal_step")
    return replace(rollout, phase=Phase.PAUSED, reason="the plan is finished: promote or abort")
