"""What one client asks for of one type: nothing yet, everything, names, or everything and names.

Pure set arithmetic over the rules for "*", the legacy wildcard (an empty first request) and unsubscribing; it does
not know which names exist.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xds.wire.types import ResourceType

from .requests import WILDCARD

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """What a request changed.

    `added` must be answered whatever was sent before (rule 16). `uncovered` were given up by name while "*" still
    covers them: the client waits for the resource or its removal (rule 15). `dropped`: names given up altogether.
    `opened`, `closed`: "*" was switched on or off.
    """

    added: frozenset[str] = _NONE
    uncovered: frozenset[str] = _NONE
    dropped: frozenset[str] = _NONE
    opened: bool = False
    closed: bool = False

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.uncovered or self.dropped or self.opened or self.closed)


NOTHING = Change()


class Subscription:
    """The set of names that one client asks for of one type.

    `asked` is False until its first request. `wildcard` and `names` are independent: "*" may stand beside names (rule
    14).
    """

    __slots__ = ("_explicit", "_last", "asked", "names", "type", "wildcard")

    def __init__(self, type_: ResourceType) -> None:
        self.type = type_
        self.asked = False
        self.wildcard = False
        self.names: frozenset[str] = _NONE
        self._explicit = False  # a name, be it "*", was ever sent: from then on empty means nothing (rule 13)
        self._last: frozenset[str] | None = None

    def covers(self, name: str) -> bool:
        """Whether the client wants `name`."""
        return self.wildcard or name in self.names

    def named(self) -> frozenset[str] | None:
        """Return the names asked for, or None for everything."""
        return None if self.wildcard else self.names

    def replace(self, names: Collection[str]) -> Change:
        """State of the world.

        `names` is the whole list. Empty is everything only where no name was ever sent (rule 13).
        """
        asked = names if isinstance(names, frozenset) else frozenset(names)
        if asked is self._last or asked == self._last:
            return NOTHING
        self.asked, self._last = True, asked
        self._explicit = self._explicit or bool(asked)
        wildcard = WILDCARD in asked or (not self._explicit and self.type.full_state)
        return self._become(wildcard, _without_star(asked))

    def adjust(self, subscribe: Collection[str], unsubscribe: Collection[str]) -> Change:
        """Delta: add and take away. A name in both stays, and is answered (the protocol leaves it open: rule 17).

        Every subscribed name counts as added, also one that was subscribed before (rule 16); unknown names in
        `unsubscribe` are ignored (rule 17). The legacy wildcard is a "*" from then on (rule 14).
        """
        wildcard = self.wildcard
        if not self.asked:
            wildcard = not subscribe and self.type.full_state
            self.asked = True
        if not subscribe and not unsubscribe and wildcard == self.wildcard:
            return NOTHING
        asked = subscribe if isinstance(subscribe, frozenset) else frozenset(subscribe)
        wildcard = WILDCARD in asked or (wildcard and WILDCARD not in unsubscribe)
        added = _without_star(asked)
        kept = self.names.difference(unsubscribe) if unsubscribe else self.names
        change = self._become(wildcard, kept | added if kept else added)
        return Change(added, change.uncovered, change.dropped, change.opened, change.closed)

    def _become(self, wildcard: bool, names: frozenset[str]) -> Change:
        before, self.names = self.names, names
        was, self.wildcard = self.wildcard, wildcard
        gone = before - names
        return Change(
            added=names - before,
            uncovered=gone if wildcard else _NONE,
            dropped=_NONE if wildcard else gone,
            opened=wildcard and not was,
            closed=was and not wildcard,
        )


def _without_star(names: frozenset[str]) -> frozenset[str]:
    """Return the names that name a resource; the same object where "*" is not among them, for sets are shared."""
    return names - {WILDCARD} if WILDCARD in names else names
