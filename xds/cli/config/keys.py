"""Every setting of a control plane: where it stands in a file, which variable overrides it, and its default.

Made of the settings themselves, so that a new one is known here as soon as it exists.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Final

from xds.config import ADS, API, PREFIX
from xds.model.quota import Quotas
from xds.sources.preservation import Rules
from xds.store.settings import StoreSettings

if TYPE_CHECKING:
    from xds.ads.settings import AdsSettings

VERSION: Final = 1
"""The format of a file. In version 0 every key stands at the top, and is called as its variable is."""
AGENT: Final = "agent"
"""The section with the settings of `serve --docker`'s agent; docs/docker.md has them."""
_OWN: Final[Mapping[str, str]] = {
    "data_dir": "fairlead-data",
    "api": str(API),
    "ads": str(ADS),
    "token": "",
    "token_file": "",
    "insecure_non_loopback": "false",
    "filter": "the built-in one",
    "filter_config": "",
    "log_level": "info",
    "check_networks": "private ones, and loopback while the API is there",
    "docker": "false",
}
_SECRETS: Final = frozenset({"token"})


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its path in a file, its variable, its default in words, and whether its value is a secret."""

    path: str
    variable: str
    default: str
    secret: bool = False

    @property
    def old(self) -> str:
        """Return what version 0 called it."""
        return self.variable.removeprefix(PREFIX).lower()


@cache
def keys() -> Mapping[str, Key]:
    """Return every key by its path."""
    return {key.path: key for key in _keys()}


def nearest(word: str, known: Iterator[str] | list[str]) -> str:
    """Return `; did you mean x?`, or nothing where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _keys() -> Iterator[Key]:
    from xds.ads.settings import AdsSettings

    for name, default in _OWN.items():
        yield Key(name, PREFIX + name.upper(), default, secret=name in _SECRETS)
    sections = ("ads_limits", "ADS_", AdsSettings), ("leases", "LEASES_", Rules), ("quota", "QUOTA_", Quotas)
    for section, prefix, kind in sections:
        for name, number in _numbers(kind):
            yield Key(f"{section}.{name}", PREFIX + prefix + name.upper(), number)
    store = dict(_numbers(StoreSettings))
    yield Key("journal.rows", PREFIX + "JOURNAL_ROWS", store["journal_rows"])
    yield Key("journal.age", PREFIX + "JOURNAL_AGE", store["journal_age"])
    yield Key("alarm.webhook", PREFIX + "ALARM_WEBHOOK", "", secret=True)  # such URLs often hold one
    yield Key("alarm.secret_file", PREFIX + "ALARM_SECRET_FILE", "")


def _numbers(kind: type[AdsSettings | Rules | Quotas | StoreSettings]) -> Iterator[tuple[str, str]]:
    for each in fields(kind):
        if isinstance(each.default, int | float):
            yield each.name, f"{each.default:g}" if isinstance(each.default, float) else str(each.default)
