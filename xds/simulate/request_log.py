"""Recorded traffic: JSON lines, one a request, with the version that served it and how.

    {"time": 12.25, "key": "alice", "version": "v2", "status": 503, "ms": 20}

`time` is in seconds, in any order and from any beginning. A request that is sent to another version than the log's is
answered as that version answered its latest request before (or else its first one): what a version was like at that
moment is known from its own requests only.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xds.model.problems import InvalidInput
from xds.simulate.texts import NS_PER_MS, NS_PER_S
from xds.simulate.traffic import MOST_REQUESTS, Answer, Request


class LoggedRequest(BaseModel):
    """One line."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: float = Field(ge=0, le=1e12, allow_inf_nan=False)
    key: str = Field(min_length=1)
    version: str = Field(min_length=1)
    status: int = Field(default=200, ge=100, le=599)
    ms: float = Field(default=10.0, ge=0, le=3_600_000)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request log, sorted by time; `moments` are the times and answers of each version's own requests."""

    listed: tuple[Request, ...]
    moments: Mapping[str, tuple[Sequence[int], Sequence[Answer]]]

    @classmethod
    def read(cls, lines: Iterable[str]) -> Recorded:
        """Return the log in `lines`, blank ones skipped; InvalidInput with the number of a line that is none."""
        read = sorted((_line(number, text) for number, text in enumerate(lines, 1) if text.strip()), key=_time)
        if not 0 < len(read) <= MOST_REQUESTS:
            raise InvalidInput(f"the log has {len(read)} requests, not one to {MOST_REQUESTS:,}", pointer="/log")
        listed: list[Request] = []
        moments: dict[str, tuple[list[int], list[Answer]]] = {}
        for line in read:
            at_ns = round((line.time - read[0].time) * NS_PER_S)
            answer = Answer(line.status, round(line.ms * NS_PER_MS))
            times, answers = moments.setdefault(line.version, ([], []))
            times.append(at_ns)
            answers.append(answer)
            listed.append(Request(at_ns, line.key.encode(), recorded=(line.version, answer)))
        return cls(tuple(listed), moments)

    @property
    def length_ns(self) -> int:
        """Nanoseconds from the first request to after the last one."""
        return self.listed[-1].at_ns + 1

    def requests(self) -> Iterator[Request]:
        """All of them."""
        return iter(self.listed)

    def check(self, versions: Iterable[str]) -> None:
        """InvalidInput for a version that the log knows nothing of."""
        for version in versions:
            if version not in self.moments:
                known = ", ".join(sorted(self.moments))
                raise InvalidInput(f"the log has no request of {version!r}; it has {known}", pointer="/log")

    def answer(self, request: Request, version: str) -> Answer:
        """What the version answered to this request where it served it, else at that time."""
        if request.recorded is not None and request.recorded[0] == version:
            return request.recorded[1]
        times, answers = self.moments[version]
        return answers[max(bisect.bisect_right(times, request.at_ns) - 1, 0)]


def _time(line: LoggedRequest) -> float:
    return line.time


def _line(number: int, text: str) -> LoggedRequest:
    try:
        return LoggedRequest.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise InvalidInput(f"line {number}: {where}: {first['msg']}", pointer="/log") from None
    except ValueError:
        raise InvalidInput(f"line {number} is not JSON: {text.strip()[:60]!r}", pointer="/log") from None
