"""Users and answers for the demo's tests: everybody where the hash says, unless a test says otherwise."""

from __future__ import annotations

from xds.cli.demo.ledger import Ledger
from xds.cli.demo.runner import population

OLD, NEW = "v1", "v2"
SALT = "default/web"


def some_ledger(users: int = 1000) -> Ledger:
    """A ledger of users who have not been anywhere yet."""
    return Ledger(population(users, 1), old=OLD, new=NEW, salt=SALT)


def users_of(ledger: Ledger, version: str) -> list[int]:
    """The users that the wanted split gives to `version`."""
    return [user for user, number in enumerate(ledger.buckets) if ledger.wanted.owner(number) == version]


def play_round(ledger: Ledger) -> None:
    """Every user comes once and is answered as the wanted split says."""
    for user, number in enumerate(ledger.buckets):
        ledger.answered(ledger.leave(user), ledger.wanted.owner(number))
