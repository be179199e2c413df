"""Who is connected, what each node was sent, and what it said to it: the memory behind "every live Envoy has ACKed it".

Knows nodes, streams and contents; not what the contents mean, nor what to do about a refusal. Time is an argument
(monotonic seconds) and nothing here waits. Whoever must act on an answer at once listens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xds.wire.types import ResourceType

from .group import Group
from .resource import Held
from .typestate import Node, Progress, TypeState

LIVE_AFTER_CLOSE = 60.0
"""Seconds for which a node whose stream closed still counts: Envoy reconnects within them or is gone."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A node's stream opened."""

    node: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A node's current stream closed and it has no other one."""

    node: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A node changed what it asks for."""

    node: str
    type: ResourceType


@dataclass(frozen=True, slots=True)
class Acked:
    """A node confirmed a response."""

    node: str
    type: ResourceType


@dataclass(frozen=True, slots=True)
class Nacked:
    """A node refused a response, in its own words."""

    node: str
    type: ResourceType
    message: str


@dataclass(frozen=True, slots=True)
class Proved:
    """A node that reconnected listed contents which are still current: as good as an ACK."""

    node: str
    type: ResourceType


NodeEvent = Opened | Closed | Subscribed | Acked | Nacked | Proved


@dataclass(slots=True)
class NodeState:
    """One node as of now. Read it and let go: the roster goes on writing to it.

    `stream` is its newest stream, `opened_at` and `closed_at` when its presence began and ended (monotonic seconds). A
    node has one stream for everything (ADS), or one for each type; `types` holds, for each type, what the newest stream
    that asked for it was sent and said, or else what the last one left.
    """

    node: Node
    group: Group
    stream: int
    opened_at: float
    closed_at: float | None = None
    types: dict[ResourceType, TypeState] = field(default_factory=dict)
    streams: dict[int, dict[ResourceType, TypeState]] = field(default_factory=dict, repr=False)
    """Its open streams, by number, and what each was sent and said."""

    @property
    def connected(self) -> bool:
        """Whether a stream of it is open."""
        return self.closed_at is None

    def is_live(self, now: float) -> bool:
        """Whether it counts for "every live node": open, or closed less than 60 s ago."""
        return self.closed_at is None or now - self.closed_at < LIVE_AFTER_CLOSE

    def speaks_for(self, stream: int, type_: ResourceType) -> bool:
        """Whether what this stream says of the type is what counts."""
        return self.types.get(type_) is self.streams[stream].get(type_)


class Roster:
    """Every node seen, by id. The newest stream that asks for a type speaks for it; closing an older one changes
    nothing.
    """

    def __init__(self, *, forget_after: float = 86_400.0) -> None:
        self._forget_after = forget_after
        self._nodes: dict[str, NodeState] = {}
        self._gone: OrderedDict[str, float] = OrderedDict()  # when who closed, in the order of closing
        self._streams: dict[int, NodeState] = {}
        self._moves: dict[int, Callable[[Group], None]] = {}
        self._listeners: list[Callable[[NodeEvent], None]] = []

    def listen(self, callback: Callable[[NodeEvent], None]) -> None:
        """Call `callback` with every event, from within the call that caused it. It must neither raise nor wait."""
        self._listeners.append(callback)

    def nodes(self) -> Sequence[NodeState]:
        """Return every node's current state, connected or not, in order of id."""
        return [self._nodes[id_] for id_ in sorted(self._nodes)]

    def node(self, id_: str) -> NodeState | None:
        """Return one node's current state, or None if it was never seen (or forgotten)."""
        return self._nodes.get(id_)

    def opened(
        self, stream: int, node: Node, group: Group, now: float, move: Callable[[Group], None] = lambda _group: None
    ) -> None:
        """Note a new stream. Until it asks for a type, what the node's streams before left of that type stands.

        `move` is called when the node is to see another group.
        """
        state = self._nodes.get(node.id)
        if state is None:
            self._forget_the_long_gone(now)
            state = self._nodes[node.id] = NodeState(node, group, stream, now)
        elif not state.connected:
            state.opened_at, state.closed_at = now, None
            self._gone.pop(node.id, None)
        state.node, state.group, state.stream = node, group, stream
        state.streams[stream] = {}
        self._streams[stream] = state
        self._moves[stream] = move
        self._tell(Opened(node.id))

    def regroup(self, node_id: str, group: Group) -> None:
        """Let a node see another group's resources from now on; its open streams are told."""
        state = self._nodes.get(node_id)
        if state is not None:
            state.group = group
            for stream in state.streams:
                self._moves[stream](group)

    def works(self, stream: int, type_: ResourceType, progress: Progress) -> None:
        """Note where to read what a stream still has to do for a type."""
        self._type(stream, type_).progress = progress

    def subscribed(self, stream: int, type_: ResourceType, names: Iterable[str] | None) -> None:
        """Note what the node asks for now; None means everything its group sees."""
        self._type(stream, type_).on_subscribed(names)
        self._tell_of(stream, Subscribed, type_)

    def sent(  # noqa: PLR0913 - a response has these parts
        self,
        stream: int,
        type_: ResourceType,
        contents: Mapping[str, Held],
        removed: Iterable[str],
        now: float,
        size: int = 0,
    ) -> None:
        """Note a response of `size` bytes: name -> (version, revision) of what it carries, and the names it removes."""
        self._type(stream, type_).on_sent(contents, removed, now, size)

    def acked(self, stream: int, type_: ResourceType, now: float) -> float | None:
        """Note that the node confirmed its unanswered response of this type; return how long it took, in seconds."""
        state = self._type(stream, type_)
        state.on_acked(now)
        self._tell_of(stream, Acked, type_)
        return state.tally.answered_in

    def nacked(self, stream: int, type_: ResourceType, message: str, now: float) -> None:
        """Note that the node refused its unanswered response of this type."""
        self._type(stream, type_).on_nacked(message, now)
        if self._streams[stream].speaks_for(stream, type_):
            self._tell(Nacked(self._streams[stream].node.id, type_, message))

    def held(self, stream: int, type_: ResourceType, contents: Mapping[str, Held], now: float) -> None:  # noqa: ARG002 - one shape for all facts
        """Note what a reconnected node proved to hold of the current snapshot."""
        self._type(stream, type_).on_held(contents)
        self._tell_of(stream, Proved, type_)

    def closed(self, stream: int, now: float) -> None:
        """Note that a stream ended. Types that an older open one asked for, too, are that one's again."""
        state = self._streams.pop(stream, None)
        if state is None:
            return
        del self._moves[stream]
        for type_, left in state.streams.pop(stream).items():
            left.progress = None
            if state.types.get(type_) is left:
                others = (state.streams[number] for number in sorted(state.streams, reverse=True))
                state.types[type_] = next((types[type_] for types in others if type_ in types), left)
        if not state.streams:
            state.closed_at = self._gone[state.node.id] = now
            self._tell(Closed(state.node.id))
        elif state.stream == stream:
            state.stream = max(state.streams)

    def _type(self, stream: int, type_: ResourceType) -> TypeState:
        state = self._streams[stream]
        mine = state.streams[stream]
        found = mine.get(type_)
        if found is None:
            found = mine[type_] = TypeState()
            if not any(number > stream and type_ in types for number, types in state.streams.items()):
                state.types[type_] = found
        return found

    def _tell_of(self, stream: int, event: type[Subscribed | Acked | Proved], type_: ResourceType) -> None:
        """Tell listeners, unless a newer stream speaks for the type: then nothing visible changed."""
        state = self._streams[stream]
        if self._listeners and state.speaks_for(stream, type_):
            self._tell(event(state.node.id, type_))

    def _tell(self, event: NodeEvent) -> None:
        for callback in self._listeners:
            callback(event)

    def _forget_the_long_gone(self, now: float) -> None:
        while self._gone and next(iter(self._gone.values())) < now - self._forget_after:
            del self._nodes[self._gone.popitem(last=False)[0]]
