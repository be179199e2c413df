"""Which health filter runs: the one that was asked for if it proves itself here, else the last one that did.

Nothing reaches an Envoy that has not been loaded, started and configured in this process. Without any filter the splits
still hold, at random instead of by user.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from xds.control.ports import Admission
from xds.model.problems import Problem, Severity
from xds.translate.outputs import FilterSpec
from xds.wire.filter_schema import FilterDefaults

_log = logging.getLogger(__name__)


class Shelf(Protocol):
    """Where the last accepted filter is kept."""

    def load(self) -> tuple[bytes, bytes] | None:
        """Return module and configuration, or None."""
        ...

    def save(self, module: bytes, configuration: bytes) -> None:
        """Keep a pair; raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """The filter to publish (None: none at all), and what is wrong with the one that was asked for."""

    spec: FilterSpec | None
    problem: Problem | None = None


async def admit(module: bytes, configuration: bytes, admission: Admission, shelf: Shelf) -> Admitted:
    """Return the wanted filter if it is accepted, the kept one with a problem otherwise."""
    spec, reason = await _judge(module, configuration, admission)
    if spec is not None:
        try:
            shelf.save(module, configuration)
        except OSError as error:
            _log.warning("the accepted filter could not be kept for a later start: %s", error)
        return Admitted(spec)
    kept = shelf.load()
    if kept is not None and kept != (module, configuration):
        spec, _ = await _judge(*kept, admission)
    stays = "the filter that ran before stays" if spec is not None else "no filter runs, splits hold at random"
    problem = Problem("filter", "fairlead.health", "", f"{reason}; {stays}", Severity.ERROR)
    _log.error("the health filter was refused: %s", problem.message)
    return Admitted(spec, problem)


async def _judge(module: bytes, configuration: bytes, admission: Admission) -> tuple[FilterSpec | None, str]:
    """Return what to publish, or None and the reason."""
    try:
        defaults = FilterDefaults.model_validate_json(configuration or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        place = "/" + "/".join(map(str, first["loc"]))
        words = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
        return None, f"the filter's configuration is wrong at {place}: {words}"
    verdict = await asyncio.to_thread(admission, module, defaults.to_configuration())
    return (FilterSpec(module, defaults), "") if verdict.accepted else (None, verdict.reason)
