"""Who is connected, what each node was sent, and what it said to it: the memory behind "every live Envoy has ACKed it".

Knows nodes, streams and contents; not what the contents mean, nor what to do about a refusal. Time is an argument
(monotonic seconds) and nothing here waits. Whoever must act on an answer at once listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xds.wire.types import ResourceType

from .group import Group
from .resource import Held
from .typestate import Node, TypeState

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
    """One node as of now. Read it and let go: the roster goes on writing to it."""

    node: Node
    group: Group
    stream: int
    opened_at: float
    closed_at: float | None = None
    types: dict[ResourceType, TypeState] = field(default_factory=dict)
    inherited: set[ResourceType] = field(default_factory=set, repr=False)
    """Types of which `types` still tells what the stream before this one left: this one has not asked for them yet."""

    @property
    def connected(self) -> bool:
        """Whether its stream is open."""
        return self.closed_at is None

    def is_live(self, now: float) -> bool:
        """Whether it counts for "every live node": open, or closed less than 60 s ago."""
        return self.closed_at is None or now - self.closed_at < LIVE_AFTER_CLOSE


class Roster:
    """Every node seen, by id. The newest stream of an id is its current one; closing an older one removes nothing."""

    def __init__(self, *, forget_after: float = 86_400.0) -> None:
        self._forget_after = forget_after
        self._nodes: dict[str, NodeState] = {}
        self._streams: dict[int, NodeState] = {}
        self._older: dict[str, list[NodeState]] = {}
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

    def opened(self, stream: int, node: Node, group: Group, now: float) -> None:
        """Note a new stream. Until it asks for a type, what the node's stream before left of that type stands."""
        self._forget_the_long_gone(now)
        before = self._nodes.get(node.id)
        state = NodeState(node, group, stream, now)
        if before is not None:
            state.types = dict(before.types)
            state.inherited = set(before.types)
            if before.connected:
                self._older.setdefault(node.id, []).append(before)
        self._nodes[node.id] = self._streams[stream] = state
        self._tell(Opened(node.id))

    def regroup(self, node_id: str, group: Group) -> None:
        """Let a node's current stream see another group; the stream asks `group` at its next turn."""
        state = self._nodes.get(node_id)
        if state is not None:
            state.group = group

    def group(self, stream: int) -> Group:
        """Return the group that an open stream sees now."""
        return self._streams[stream].group

    def subscribed(self, stream: int, type_: ResourceType, names: Iterable[str] | None) -> None:
        """Note what the node asks for now; None means everything its group sees."""
        state = self._streams[stream]
        self._type(state, type_).on_subscribed(names)
        self._tell_of(state, Subscribed(state.node.id, type_))

    def sent(
        self,
        stream: int,
        type_: ResourceType,
        contents: Mapping[str, Held],
        removed: Iterable[str],
        now: float,
    ) -> None:
        """Note a response: name -> (version, revision) of what it carries, and the names it removes."""
        self._type(self._streams[stream], type_).on_sent(contents, removed, now)

    def acked(self, stream: int, type_: ResourceType, now: float) -> None:  # noqa: ARG002 - one shape for all facts
        """Note that the node confirmed its unanswered response of this type."""
        state = self._streams[stream]
        self._type(state, type_).on_acked()
        self._tell_of(state, Acked(state.node.id, type_))

    def nacked(self, stream: int, type_: ResourceType, message: str, now: float) -> None:
        """Note that the node refused its unanswered response of this type."""
        state = self._streams[stream]
        self._type(state, type_).on_nacked(message, now)
        self._tell_of(state, Nacked(state.node.id, type_, message))

    def held(self, stream: int, type_: ResourceType, contents: Mapping[str, Held], now: float) -> None:  # noqa: ARG002 - one shape for all facts
        """Note what a reconnected node proved to hold of the current snapshot."""
        state = self._streams[stream]
        self._type(state, type_).on_held(contents)
        self._tell_of(state, Proved(state.node.id, type_))

    def closed(self, stream: int, now: float) -> None:
        """Note that a stream ended. If it was the node's newest and an older one is open, that one is current again."""
        state = self._streams.pop(stream, None)
        if state is None:
            return
        state.closed_at = now
        id_ = state.node.id
        older = self._older.get(id_, [])
        if state in older:
            older.remove(state)
        elif older:
            self._nodes[id_] = older.pop()
        else:
            self._tell(Closed(id_))
        if not older:
            self._older.pop(id_, None)

    def _type(self, state: NodeState, type_: ResourceType) -> TypeState:
        if type_ in state.inherited:
            state.inherited.discard(type_)
            state.types[type_] = TypeState()
        found = state.types.get(type_)
        if found is None:
            found = state.types[type_] = TypeState()
        return found

    def _tell_of(self, state: NodeState, event: NodeEvent) -> None:
        """Tell listeners, unless the stream is not its node's current one: then nothing visible changed."""
        if self._nodes.get(state.node.id) is state:
            self._tell(event)

    def _tell(self, event: NodeEvent) -> None:
        for callback in self._listeners:
            callback(event)

    def _forget_the_long_gone(self, now: float) -> None:
        horizon = now - self._forget_after
        for id_ in [id_ for id_, s in self._nodes.items() if s.closed_at is not None and s.closed_at < horizon]:
            del self._nodes[id_]
