"""The rules for laying an overlay: what it must be about, and what it must not do unless somebody insists.

An operator who insists (`force`) gets what he asks for, and the journal says what that cost.
"""

from __future__ import annotations

from collections.abc import Iterable

from xds.model.declare import Declaration
from xds.model.emptying import emptied
from xds.model.intent import Declared, Intent
from xds.model.overlay import Overlay
from xds.model.problems import Conflict


def lay(
    overlay: Overlay, before: Declared | None, intent: Intent, drafted: Iterable[Declared | None], asked: Declaration
) -> Declaration:
    """Check an overlay; return the declaration to journal, which tells what was insisted on.

    `before` is what stands under its id, `drafted` what its batch has written so far. Conflict `identity` for another
    target under the same id, `matches_nothing`, and `would_empty` for the last who serve somewhere.
    """
    if isinstance(before, Overlay) and before.target != overlay.target:
        raise Conflict(
            f"overlay {overlay.id} is a {before.act} of something else: undo it first, or choose another id",
            pointer="/id",
            code="identity",
        )
    if overlay.pinned is not None:
        return asked
    picked = intent.index.select(overlay.within)
    if not picked and not asked.force:
        raise Conflict(
            f"no instance of env {overlay.env} matches {overlay.selector}: force it to have it wait for one",
            pointer="/selector",
            code="matches_nothing",
        )
    if not overlay.stops:
        return asked
    for other in drafted:
        if isinstance(other, Overlay) and other.stops and other.pinned is None:
            picked |= intent.index.select(other.within)
    return insisted(asked, [str(each) for each in emptied(intent, picked)], pointer="/selector")


def insisted(asked: Declaration, emptying: list[str], *, pointer: str = "") -> Declaration:
    """Return a declaration that says in its reason what it empties; Conflict `would_empty` unless it is forced."""
    if not emptying:
        return asked
    shown = ", ".join(emptying[:5]) + (f" and {len(emptying) - 5} more" if len(emptying) > 5 else "")
    words = f"nobody would be left to serve {shown}"
    if not asked.force:
        raise Conflict(f"{words}: force it if that is meant", pointer=pointer, code="would_empty")
    return asked._replace(reason=f"{asked.reason} (forced: {words})".strip())
