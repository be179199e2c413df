"""Stories: a small intent that a person reads, and the resources that it becomes.

`intent.yaml` holds lists of `services`, `instances`, `policies`, `routes`, `gateways` and `nodes` (what an Envoy says
of itself under `fairlead` in its metadata). Weights are percent. After everything is declared, the services under
`then` are declared over what is there, breakers are forced (`force: {web: {v2: open}}`), `health` is observed and what
`delete` names is removed. `filter: true` builds with the real module. What comes out is shown per resource type,
decoded from the encoded bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.harness.repo import ROOT
from xds.model.balancing import Balancing, Outlier
from xds.model.breaker import Forced, ForcedState, Limits
from xds.model.declare import Change, Declaration, Delete, ForceBreaker, Put
from xds.model.draft import Draft
from xds.model.gateway import Gateway, GatewayListener
from xds.model.health import Health
from xds.model.instance import Address, Instance
from xds.model.intent import Declared, Intent, Kind, Ref
from xds.model.names import DEFAULT_ENV, Key, ServiceKey
from xds.model.node import NodeProfile
from xds.model.policy import Mirror, ServicePolicy
from xds.model.route import MatchKind, PathKind, PathMatch, Retry, Route, ValueMatch
from xds.model.selector import Selector
from xds.model.service import Protocol, Service, Subset
from xds.model.split import KeySource, Segment, Split, SplitKey, weight_from_percent
from xds.translate import Builder, Built, FilterSpec, Output
from xds.wire.codec import decode
from xds.wire.filter_schema import FilterDefaults
from xds.wire.plain import to_plain
from xds.wire.types import ResourceType

GOLDEN = ROOT / "tests" / "golden"
MODULE = ROOT / "filters" / "health.wasm"
FILES = {
    ResourceType.CLUSTER: "clusters",
    ResourceType.ENDPOINT: "endpoints",
    ResourceType.ROUTE: "routes",
    ResourceType.LISTENER: "listeners",
    ResourceType.EXTENSION: "extensions",
}

Document = Mapping[str, Any]
NO_KEY = SplitKey()


def stories() -> list[Path]:
    """Every folder that tells one, by name."""
    return sorted(path.parent for path in GOLDEN.glob("*/intent.yaml"))


@dataclass(frozen=True)
class Story:
    """What a story declares, and what was built from it."""

    built: Built
    profiles: frozenset[NodeProfile]

    def seen_by(self, profile: NodeProfile) -> dict[tuple[ResourceType, str], dict[str, object]]:
        """The resources of a node of that profile, as plain messages: its own variant before its environment's."""
        seen: dict[tuple[ResourceType, str], dict[str, object]] = {}
        for variant in ("", profile.env, profile.scope, profile.variant):
            for output in self.built.upserts:
                if output.variant == variant:
                    seen[output.type, output.name] = message_of(output)
        return seen

    def files(self) -> dict[str, str]:
        """The golden files of the story by name, without those that would be empty."""
        texts = {}
        for type_, name in FILES.items():
            if shown := [_shown(output) for output in self.built.upserts if output.type is type_]:
                texts[f"{name}.yaml"] = dump(shown)
        if self.built.problems:
            texts["problems.yaml"] = dump([_problem(problem) for problem in self.built.problems])
        return texts


def read(folder: Path) -> Story:
    """Read `intent.yaml` and tell it."""
    return tell(YAML(typ="safe", pure=True).load(folder / "intent.yaml"))


def tell(document: Document) -> Story:
    """Apply a story through the model's own rules, and translate all of it."""
    intent = Intent()
    for declared in _declared(document):
        _commit(intent, [Put(declared)])
    for service in document.get("then", []):
        _commit(intent, [Put(_service(service))])
    for service, forced in document.get("force", {}).items():
        for subset, state in forced.items():
            _commit(intent, [ForceBreaker(ServiceKey.of(service), subset, Forced(ForcedState(state)))])
    intent.observe_health({name: Health(health) for name, health in document.get("health", {}).items()})
    for name in document.get("delete", []):
        _commit(intent, [Delete(Ref(Kind.INSTANCE, name))])
    profiles = frozenset(NodeProfile.from_metadata({"fairlead": node}) for node in document.get("nodes", []))
    spec = FilterSpec(MODULE.read_bytes(), FilterDefaults()) if document.get("filter") else None
    dirty = intent.take_dirty()
    gateways = {
        env: tuple(gateway for key, gateway in sorted(intent.gateways.items()) if key.env == env)
        for env in dirty.gateways
    }
    built = Builder(spec).build({key: intent.view(key) for key in dirty.services}, gateways, profiles)
    return Story(built, profiles)


def message_of(output: Output) -> dict[str, object]:
    """The resource as a plain message, read back from its bytes."""
    return to_plain(decode(_class_of(output.type), output.value))


def dump(value: object) -> str:
    """YAML in block style, keys in the order given."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the stub knows only its default
    yaml.width = 110
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


# -- reading ----------------------------------------------------------------------------------------------------


def _commit(intent: Intent, changes: Iterable[Change]) -> None:
    draft = Draft(intent)
    for change in changes:
        draft.declare(Declaration(change, actor="story"))
    intent.commit(draft.writes, draft.revision)


def _declared(document: Document) -> Iterable[Declared]:
    readers: list[tuple[str, Callable[[Document], Declared]]] = [
        ("services", _service),
        ("instances", _instance),
        ("policies", _policy),
        ("routes", _route),
        ("gateways", _gateway),
    ]
    for kind, reader in readers:
        yield from map(reader, document.get(kind, []))


def _key(item: Document, name: str = "service") -> ServiceKey:
    return ServiceKey(item.get("env", DEFAULT_ENV), item[name])


def _instance(item: Document) -> Instance:
    fields = {name: item[name] for name in ("version", "weight", "region", "zone", "labels") if name in item}
    ingress = Address.parse(item["ingress"], pointer="/ingress") if "ingress" in item else None
    ports = item.get("ports", {"http": item.get("port", 8080)})
    return Instance(item["id"], _key(item), item["address"], ports, ingress=ingress, **fields)


def _service(item: Document) -> Service:
    simple = ("stable", "connect_timeout", "timeout", "upstream_port", "breaker", "labels")
    fields = {name: item[name] for name in simple if name in item}
    key = SplitKey(*_pair(item["key"], KeySource)) if isinstance(item.get("key"), Mapping) else SplitKey()
    return Service(
        _key(item, "name"),
        protocol=Protocol(item.get("protocol", "http")),
        protocols={name: Protocol(value) for name, value in item.get("protocols", {}).items()},
        subsets=tuple(Subset(name, Selector.parse(text)) for name, text in item.get("subsets", {}).items()),
        split=_split(item.get("split", []), key),
        balancing=Balancing(item.get("balancing", "round-robin")),
        hash_key=SplitKey(*_pair(item["hash_key"], KeySource)) if "hash_key" in item else SplitKey(),
        outlier=Outlier(**item["outlier"]) if "outlier" in item else None,
        retry=_retry(item["retry"]) if "retry" in item else None,
        limits=Limits(**item["limits"]) if "limits" in item else None,
        allow_from=tuple(item["allow_from"]) if "allow_from" in item else None,
        **fields,
    )


def _policy(item: Document) -> ServicePolicy:
    fields = {name: item[name] for name in ("priority", "timeout") if name in item}
    mirror = item.get("mirror")
    return ServicePolicy(
        Key(item.get("env", DEFAULT_ENV), item["name"]),
        Selector.parse(item.get("selector", "")),
        retry=_retry(item["retry"]) if "retry" in item else None,
        limits=Limits(**item["limits"]) if "limits" in item else None,
        allow_from=tuple(item["allow_from"]) if "allow_from" in item else None,
        mirror=Mirror(**{**mirror, "share": weight_from_percent(mirror.get("share", 100), pointer="/mirror/share")})
        if mirror
        else None,
        **fields,
    )


def _pair(item: Document, kind: Callable[[str], Any]) -> tuple[Any, str]:
    """The only entry of a mapping: `{cookie: session}`."""
    [(name, value)] = item.items()
    return kind(name), value


def _split(segments: Iterable[Document], key: SplitKey = NO_KEY) -> Split:
    """Segments in order: `[{v1: 90}, {v2: 10}]`; a subset may stand there more than once."""
    pairs = [_pair(segment, str) for segment in segments]
    return Split(tuple(Segment(name, weight_from_percent(percent, pointer="/split")) for name, percent in pairs), key)


def _retry(item: Document) -> Retry:
    return Retry(item.get("attempts", 2), tuple(item["on"]) if "on" in item else Retry().on, item.get("per_try"))


def _matches(item: Document) -> tuple[ValueMatch, ...]:
    """`{x-tenant: acme}`, `{x-tenant: {prefix: ac}}`, `{x-tenant: {present: true}}`."""
    found = []
    for name, value in item.items():
        if not isinstance(value, Mapping):
            found.append(ValueMatch(name, MatchKind.EXACT, value))
        elif "present" in value:
            found.append(ValueMatch(name, MatchKind.PRESENT if value["present"] else MatchKind.ABSENT))
        else:
            found.append(ValueMatch(name, *_pair(value, MatchKind)))
    return tuple(found)


def _route(item: Document) -> Route:
    path = item.get("path", "/")
    fields = {
        name: item[name]
        for name in ("priority", "rewrite", "timeout", "idle_timeout", "port", "subset")
        if name in item
    }
    return Route(
        Key(item.get("env", DEFAULT_ENV), item["name"]),
        _key(item),
        hosts=tuple(item.get("hosts", ())),
        path=PathMatch(*_pair(path, PathKind)) if isinstance(path, Mapping) else PathMatch(value=path),
        methods=tuple(item.get("methods", ())),
        headers=_matches(item.get("headers", {})),
        cookies=_matches(item.get("cookies", {})),
        queries=_matches(item.get("queries", {})),
        retry=_retry(item["retry"]) if "retry" in item else None,
        split=_split(item["split"]) if "split" in item else None,
        **fields,
    )


def _gateway(item: Document) -> Gateway:
    listeners = tuple(GatewayListener(**listener) for listener in item.get("listeners", [{}]))
    return Gateway(Key(item.get("env", DEFAULT_ENV), item["name"]), listeners, tuple(item.get("hosts", ["*"])))


# -- showing ----------------------------------------------------------------------------------------------------


def _class_of(type_: ResourceType) -> Any:
    from envoy_data_plane.message_pool import default_message_pool

    return default_message_pool.url_to_type[type_.url]


def _shown(output: Output) -> dict[str, object]:
    shown: dict[str, object] = {"name": output.name, "variant": output.variant}
    if output.weights:
        shown["carries"] = {str(key): dict(weights) for key, weights in output.weights.items()}
    message = message_of(output)
    if output.type is ResourceType.EXTENSION:
        _hide_module(message)
    return {**shown, "resource": message}


def _hide_module(message: Any) -> None:
    """Show the module by its file, so that goldens do not change with every build of the filter."""
    vm = message["typed_config"]["config"]["vm_config"]
    digest = hashlib.sha256(MODULE.read_bytes()).hexdigest()
    vm["vm_id"] = vm["vm_id"].replace(digest, "<sha256 of filters/health.wasm>")
    vm["code"]["local"]["inline_bytes"] = "<filters/health.wasm>"


def _problem(problem: Any) -> dict[str, str]:
    return {
        "kind": problem.kind,
        "object": problem.object,
        "pointer": problem.pointer,
        "severity": problem.severity.value,
        "message": problem.message,
    }
