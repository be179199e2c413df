"""Who may touch a declared object: its owner, an operator, and anybody where nobody owns it."""

from __future__ import annotations

from xds.model.declare import Declaration
from xds.model.intent import Declared, Ref
from xds.model.problems import Forbidden


def check_owner(name: Ref, before: Declared | None, declaration: Declaration, *owners: str) -> None:
    """Refuse whoever is neither the owner nor speaks for it; what nobody owns or nobody declared is free."""
    if before is None or declaration.operator or before.owner in {"", "auto", declaration.actor, *owners}:
        return
    raise Forbidden(f"{name.kind} {name.key} belongs to {before.owner}, not to {declaration.actor}", code="not_owner")
