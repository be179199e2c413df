"""What the store is told at its start; it reads no environment and no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xds.model.problems import InvalidInput

DAY: Final = 86_400.0
DATABASE: Final = "fairlead.db"
LAST_GOOD: Final = "last-good"
"""What the database and the folder of the last known good state are called, in the data folder."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How much the journal keeps: rows (about a kilobyte each) and seconds.

    `tidy_slices` bounds what one look does, in thousands of rows. Under load the journal may outgrow its bounds for a
    while: forgetting waits for the writer to have time.
    """

    journal_rows: int = 2_000_000
    journal_age: float = 30 * DAY
    tidy_slices: int = 20

    def __post_init__(self) -> None:
        """Refuse a journal that would keep nothing."""
        for name, least in (("journal_rows", 1000), ("journal_age", 60.0), ("tidy_slices", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(f"{name} is at least {least}", pointer=f"/{name}")
