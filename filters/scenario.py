"""A scenario of the breaker: requests at their times, how each is answered, and what must be decided.

The author of a scenario says what is decided (`action`) and which states it leaves; this module computes what follows
from that by arithmetic alone, the bucket and the substitute. So a vector never asks the filter what is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

from xds.model.bucket import BUCKETS, hash64, xxh64

Facts: TypeAlias = "dict[str, JsonValue]"
States: TypeAlias = "Mapping[str, str]"

SALT = "s"
TAKES_MORE = ("closed", "forced_closed")
"""States of a subset that users of another one are sent to."""


def second(key: str) -> int:
    """A user's second hash: how soon in a ramp the user is back, and which substitute it has."""
    return xxh64(hash64(SALT, key.encode()).to_bytes(8, "little"))


def bucket_of(key: str) -> int:
    """The bucket of a user."""
    return hash64(SALT, key.encode()) % BUCKETS


@dataclass
class Scenario:
    """A list of steps that grows. Times are milliseconds since its beginning."""

    name: str
    rule: Facts
    split: tuple[tuple[str, int], ...] = (("web/1", 8_000), ("web/2", 2_000))
    envoy: bool = False
    """Whether real time and one worker lead to the same decisions."""
    steps: list[JsonValue] = field(default_factory=list)
    now: int = 0
    states: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = {cluster: "closed" for cluster, _ in self.split}

    def users(self, cluster: str, many: int, back_from: int = 0, back_to: int = 100) -> list[str]:
        """Keys whose buckets belong to `cluster`, and who are back in a ramp at so many percent."""
        found: list[str] = []
        number = 0
        while len(found) < many:
            key, number = f"user-{number}", number + 1
            if self.owner(bucket_of(key)) == cluster and back_from <= second(key) % 100 < back_to:
                found.append(key)
        return found

    def owner(self, bucket: int) -> str:
        """The cluster that a bucket belongs to."""
        end = 0
        for cluster, weight in self.split:
            end += weight
            if bucket < end:
                return cluster
        raise ValueError(bucket)

    def substitute(self, key: str) -> int:
        """The bucket that a user of a subset that is out gets instead."""
        own = self.owner(bucket_of(key))
        starts = [sum(weight for _, weight in self.split[:at]) for at in range(len(self.split))]
        targets = [
            (start, weight)
            for start, (cluster, weight) in zip(starts, self.split, strict=True)
            if cluster != own and self.states[cluster] in TAKES_MORE
        ]
        place = second(key) // 100 % sum(weight for _, weight in targets)
        for start, weight in targets:
            if place < weight:
                return start + place
            place -= weight
        raise ValueError(key)

    def wait(self, milliseconds: int, states: States | None = None) -> None:
        """Time passes; a tick may change states."""
        self.now += milliseconds
        self.states.update(states or {})

    def ask(
        self,
        key: str,
        answer: Facts | None = None,
        *,
        action: str = "go",
        states: States | None = None,
        stays_open: str = "",
    ) -> None:
        """A request, answered at once unless it `stays_open` under a name; `states` are those it leaves behind."""
        bucket: int | None = bucket_of(key)
        if action == "remap":
            bucket = self.substitute(key)
        elif action == "reject":
            bucket = None
        self.states.update(states or {})
        expected: Facts = {
            "action": action,
            "bucket": bucket,
            "subset": None if bucket is None else self.owner(bucket),
            "states": dict(self.states),
        }
        step: Facts = {"at": self.now, "key": key}
        step |= {"id": stays_open} if stays_open else {"answer": answer or {"code": 200}}
        self.steps.append(step | {"expect": expected})

    def end(self, name: str, answer: Facts, states: States | None = None) -> None:
        """The answer to a request that stayed open."""
        self.states.update(states or {})
        expected: Facts = {"states": dict(self.states)}
        self.steps.append({"at": self.now, "ends": name, "answer": answer, "expect": expected})

    def facts(self) -> Facts:
        """What the route says."""
        split: list[JsonValue] = [[cluster, weight] for cluster, weight in self.split]
        key: Facts = {"header": "x-user"}
        return {"service": self.name, "env": "default", "salt": SALT, "key": key, "split": split, "breaker": self.rule}
