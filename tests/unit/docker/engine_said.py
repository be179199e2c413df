"""What an engine says, as the tests of its source write it: inspections, events and lists, without an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from xds.model.signal import Signal
from xds.sources.docker.containers import Containers
from xds.sources.docker.effects import Ask, Effect, Inspect, Register, Report, Withdraw
from xds.sources.docker.facts import Facts, Summary, read_facts
from xds.sources.docker.stream import Event

WEB: Final = "a" * 64
CART: Final = "b" * 64
WEB_ID: Final = f"web-{WEB[:12]}"
BORN: Final = 1_000_000  # microseconds on the engine's clock


def inspection(
    identity: str = WEB,
    labels: Mapping[str, str] | None = None,
    *,
    started: float = 1.0,
    networks: Mapping[str, str] | None = None,
    mode: str = "default",
    ports: Mapping[str, object] | None = None,
    health: str = "",
    log: Sequence[Mapping[str, object]] = (),
    **state: object,
) -> dict[str, Any]:
    """The document of `/containers/{id}/json`, as far as it is read; `started` in seconds of 1970."""
    return {
        "Id": identity,
        "Name": f"/{'web' if identity == WEB else 'other'}",
        "Image": "sha256:0123456789abcdef",
        "State": {
            "Running": True, "Paused": False, "Restarting": False, "Pid": 4711,
            "StartedAt": f"1970-01-01T00:00:{started:012.9f}Z",
            **({"Health": {"Status": health, "Log": list(log)}} if health else {}), **state,
        },
        "Config": {
            "Image": "example/web:v1",
            "Labels": {"fairlead.service": "web"} if labels is None else dict(labels),
            "ExposedPorts": {"8080/tcp": {}},
        },
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {
            "Ports": ports or {},
            "Networks": {
                name: {"IPAddress": address, "GlobalIPv6Address": ""}
                for name, address in ({"bridge": "172.17.0.2"} if networks is None else networks).items()
            },
        },
    }  # fmt: skip


def facts(identity: str = WEB, labels: Mapping[str, str] | None = None, **more: Any) -> Facts:
    return read_facts(inspection(identity, labels, **more))


def event(action: str, identity: str = WEB, *, at: float = 2.0, signal: int = 0) -> Event:
    """`at` in seconds of the engine's clock."""
    return Event(action, identity, int(at * 1e9), signal, ours=True)


def line(identity: str = WEB, mark: str = "") -> Summary:
    return Summary(identity, {"fairlead.service": "web"}, mark)


class Story:
    """One engine's containers as a test tells them: what the engine says goes in, what was told comes out."""

    def __init__(self, **settings: Any) -> None:
        self.containers = Containers(**settings)
        self.now = 100.0
        self.told: dict[str, str] = {}
        self.words: list[str] = []
        self.reports: list[tuple[str, Signal]] = []
        self.engine: dict[str, Facts | str | None] = {}
        self.good: set[str] = set()
        self.silent: set[str] = set()
        self._waiting: list[Ask] = []

    def runs(self, *known: Facts) -> Story:
        """The engine has these containers, and their own addresses answer."""
        for each in known:
            self.engine[each.id] = each
            self.good |= {address for network in each.attachments for address in network.addresses}
        return self

    def listed(self, *identities: str, afresh: bool = True) -> bool:
        believed = self.containers.listed([line(each) for each in identities], afresh=afresh)
        self.settle()
        return believed

    def hears(self, *events: Event) -> None:
        for each in events:
            self.containers.event(each, self.now)
        self.settle()

    def passes(self, seconds: float) -> None:
        """Time goes by, at the pace of what is due."""
        end = self.now + seconds
        while (due := self.containers.due()) <= end:
            self.now = max(self.now, due)
            self.containers.turn(self.now)
            self.settle()
        self.now = end

    def silence_ends(self, why: str) -> None:
        """Whoever was asked at a silent place has not answered in time."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self.containers.answered(each, why, self.now)
        self.settle()

    def settle(self) -> None:
        """Carry out what follows, until nothing does."""
        while effects := self.containers.effects():
            for effect in effects:
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Inspect(identity):
                found = self.engine.get(identity)
                if isinstance(found, str):
                    self.containers.not_inspected(identity, found, self.now)
                else:
                    self.containers.inspected(identity, found, self.now)
            case Ask() if effect.place.address in self.silent:
                self._waiting.append(effect)
            case Ask():
                good = effect.place.address in self.good
                self.containers.answered(effect, "" if good else "nobody listens there", self.now)
            case Register(registration):
                self.told[registration.instance.id] = registration.instance.address
                self.words.append(f"+{registration.instance.id}")
            case Withdraw(instance_id, _, why):
                self.told.pop(instance_id)
                self.words.append(f"-{instance_id}: {why}")
            case Report(instance_id, signal):
                self.reports.append((instance_id, signal))
            case _:
                pass


def running(*known: Facts, **settings: Any) -> Story:
    """A story that begins with these containers registered."""
    story = Story(**settings).runs(*(known or (facts(),)))
    story.listed(*(each.id for each in known or (facts(),)))
    story.passes(1.0)
    return story
