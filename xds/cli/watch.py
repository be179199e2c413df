"""`watch`: a table that follows the control plane; a line for each change where nobody looks at a screen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from xds.cli.changes import Moved, by_key, moved
from xds.cli.connection import connection
from xds.cli.exits import Exit, Failed
from xds.cli.kinds import KINDS
from xds.cli.objects import EnvOrAll, KindName, Name, Selector, checked, rows_of
from xds.cli.output import Listing, ListingOutput, Row
from xds.cli.watch_screen import screen
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client
    from xds.cli.event_stream import EventStream, Told

_NOT_FOUND: Final = 404
LEAST_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """Which objects are watched."""

    plural: str
    name: str
    selector: str
    env: str

    def rows(self, client: Client) -> list[Row]:
        """Return them as they are now; nothing for one that is not there, Failed without an answer."""
        from xds.cli.client import Refused

        try:
            return rows_of(client, self.plural, self.name, self.selector, self.env)
        except Refused as refused:
            if self.name and refused.status == _NOT_FOUND:
                return []
            raise

    def means(self, change: Row) -> bool:
        """Say whether an object that no list has shown is one of them."""
        about = f"{change.get('service') or ''} {change['object']}"
        return not self.name and not self.selector and (self.env == "*" or f"{self.env}/" in about)


def watch(
    ctx: typer.Context,
    kind: KindName,
    name: Name = "",
    selector: Selector = "",
    env: EnvOrAll = DEFAULT_ENV,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="How often to ask for what is observed rather than declared.")
    ] = 2.0,
    output: ListingOutput = Listing.TABLE,
) -> None:
    """Show objects as they change, until interrupted.

    On a terminal the table is drawn again; elsewhere, and with `-o json`, each change is a line. What is declared is
    shown as soon as its event comes, and nothing is missed over a restart of the control plane; health and what Envoys
    acknowledge is asked for every two seconds.
    """
    plural = checked(kind, selector)
    if output is Listing.YAML:
        raise Failed("-o yaml: a stream is a line for each change; say -o json", Exit.INVALID)
    if not every >= LEAST_S:
        raise Failed(f"--every {every:g}: at least {LEAST_S:g} s lie between two questions", Exit.INVALID)
    with connection(ctx).client() as client:
        try:
            _follow(client, Asked(plural, name, selector, env), every, output)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.DONE) from None


def _follow(client: Client, asked: Asked, every: float, output: Listing) -> None:
    from xds.cli.event_stream import EventStream

    listed = KINDS[asked.plural]
    after = client.revision()  # before the list: what happens between the two is told once more, and not lost
    rows = by_key(listed, asked.rows(client))
    stream = EventStream(client, after, kind=listed.one) if listed.declared else None
    with screen(asked.plural, listed.shown(wide=output is Listing.WIDE), as_json=output is Listing.JSON) as show:
        show(list(rows.values()), [Moved("listed", key, row) for key, row in rows.items()], "")
        trouble, events, awaited = "", list[tuple[int, Row]](), set[str]()
        while True:
            for told in _wait(stream, every):
                trouble = told.trouble
                events += [(told.revision, change) for change in told.changes]
            try:
                now = by_key(listed, asked.rows(client))
            except Failed as error:
                if error.code is Exit.INVALID:
                    raise
                show(list(rows.values()), [], str(error))
                continue
            changes = list(moved(listed, rows, now, events, asked.means))
            early = {each.key for each in changes if not each.revision} - awaited if stream else set()
            show(list(now.values()), [each for each in changes if each.key not in early], trouble)
            rows, events = _but(early, now, rows), []
            awaited = set() if trouble else early  # a list may be ahead of the events that explain it


def _but(early: set[str], now: Mapping[str, Row], before: Mapping[str, Row]) -> dict[str, Row]:
    """Return rows as they are now, but those of `early` as they were before."""
    kept = {key: row for key, row in now.items() if key not in early}
    return kept | {key: before[key] for key in early if key in before}


def _wait(stream: EventStream | None, seconds: float) -> list[Told]:
    if stream is not None:
        return stream.take(seconds)
    time.sleep(seconds)
    return []


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(watch)
