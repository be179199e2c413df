"""Which message about an instance is the newer one: epochs count its incarnations, seqs the messages of one.

Messages overtake each other on the way, and a process that was thought dead may still speak; whatever is older than
what is known is refused, so that the last word about an instance stays the last. Who may speak is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from xds.model.instance import Instance
from xds.model.problems import Conflict, Forbidden

_said = attrgetter(*(field.name for field in fields(Instance) if field.name not in {"epoch", "seq"}))


def check_succession(before: Instance, declared: Instance) -> None:
    """Refuse an id that names something else (Forbidden `identity`), and what is older than known (`stale_epoch`)."""
    if before.service != declared.service:
        raise Forbidden(
            f"instance {declared.id} belongs to service {before.service}; {declared.service} needs another id",
            pointer="/id",
            code="identity",
        )
    if not _is_another(before, declared):
        check_age(before, declared.epoch, declared.seq)


def check_age(known: Instance, epoch: int, seq: int) -> None:
    """Refuse a message of an older incarnation, or an older one of this (Conflict `stale_epoch`); 0 is not said."""
    at = epoch or known.epoch
    number = seq or known.seq if at == known.epoch else seq
    if (at, number) < (known.epoch, known.seq):
        raise Conflict(
            f"instance {known.id} is at epoch {known.epoch}, seq {known.seq}; epoch {at}, seq {number} is older",
            pointer="/epoch" if at < known.epoch else "/seq",
            code="stale_epoch",
        )


def numbered(declared: Instance, before: object, revision: int) -> Instance:
    """Issue an epoch (the revision) and a seq where none is given.

    A message that says nothing new and carries no higher number than the last one changes nothing. A higher number is
    kept even then: what was sent between the two may still be on its way. Another `start` is another incarnation.
    """
    if not isinstance(before, Instance):
        return declared if declared.epoch else declared.numbered(revision, max(declared.seq, 1))
    if _is_another(before, declared):
        return declared.numbered(max(revision, before.epoch + 1), max(declared.seq, 1))
    if declared.epoch > before.epoch:
        return declared
    if _said(declared) == _said(before) and declared.seq <= before.seq:
        return before
    return declared.numbered(before.epoch, declared.seq or before.seq + 1)


def _is_another(before: Instance, declared: Instance) -> bool:
    """Say whether a registration without an epoch comes from another process than the one that is known."""
    return not declared.epoch and bool(declared.start) and declared.start != before.start
