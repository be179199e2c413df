"""Whatever is declared in whatever order: what is loaded after it is what stood in memory."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.declared import instance, route, service, split
from xds.control.ports import Commit, Entry
from xds.model.declare import Change, Declaration, Delete, Put, StartRollout, StepRollout
from xds.model.draft import Draft
from xds.model.gateway import Gateway
from xds.model.intent import Intent, Kind, Ref
from xds.model.names import Key, ServiceKey
from xds.model.problems import FairleadError
from xds.model.rollout import Abort, Acked, Promote, SetWeight, Step
from xds.model.service import Protocol
from xds.store.sqlite import SqliteStore

KEYS = st.sampled_from([ServiceKey("default", "web"), ServiceKey("prod", "web"), ServiceKey("default", "db")])
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
OBJECTS = st.one_of(
    st.builds(
        lambda at, key, version, **more: instance(f"{key.env}-{key.name}-{at}", version, service=key, **more),
        st.integers(0, 3), KEYS, st.sampled_from(["v1", "v2"]), weight=st.integers(0, 10_000),
        ttl=st.none() | st.floats(1, 3600), labels=st.dictionaries(st.sampled_from(["a", "b/c"]), TEXT),
    ),
    st.builds(
        service, KEYS, timeout=st.floats(0, 86_400), protocol=st.sampled_from(Protocol),
        split=st.integers(1, 9999).map(lambda weight: split(v1=10_000 - weight, v2=weight)),
    ),
    st.builds(
        lambda key, subset: route(f"{key.name}.api", to=key, subset=subset), KEYS, st.sampled_from(["", "v1", "v2"])
    ),
    st.builds(lambda env, hosts: Gateway(Key(env, "edge"), hosts=tuple(hosts)), st.sampled_from(["default", "prod"]),
              st.lists(st.sampled_from(["*", "a.b", "*.c"]), max_size=2)),
)  # fmt: skip
REFS = OBJECTS.flatmap(
    lambda declared: (
        st.just(Ref(Kind.INSTANCE, getattr(declared, "id", "")))
        | st.sampled_from(
            [Ref(kind, f"default/{name}") for kind, name in ((Kind.SERVICE, "web"), (Kind.ROUTE, "web.api"))]
        )
    )
)
ROLLOUTS = st.sampled_from([f"{name}-{version}-1" for name in ("web", "db") for version in ("v1", "v2")])
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Put, OBJECTS),
    st.builds(Put, OBJECTS),
    st.builds(Delete, REFS),
    st.builds(StartRollout, KEYS, st.sampled_from(["v1", "v2"]), st.just((Step(500, None), Step(5000, 2.5)))),
    st.builds(StepRollout, ROLLOUTS, st.sampled_from([Acked(), Abort(), Promote(), SetWeight(1234)])),
)
BATCHES = st.lists(st.lists(CHANGES, max_size=6), max_size=8)
TABLES = ("revision", "instances", "services", "routes", "gateways", "rollouts", "revisions")


@settings(max_examples=60)
@given(BATCHES)
def test_what_is_loaded_is_what_was_committed(batches: list[list[Change]]) -> None:
    asyncio.run(live(batches))


async def live(batches: list[list[Change]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, intent = Path(folder) / "fairlead.db", Intent()
        for at, batch in enumerate(batches):
            store = SqliteStore(path)  # opened anew each time, so that what it keeps in memory counts for nothing
            await store.load()
            await enter(store, intent, batch)
            if at % 2:
                await enter(store, intent, batch)
            await store.close()
        store = SqliteStore(path)
        loaded = await store.load()
        await store.close()
        restored = Intent()
        restored.restore(loaded.objects, loaded.revision)
        assert not loaded.problems
        for table in TABLES:
            assert getattr(restored, table) == getattr(intent, table), table
        assert {key: set(restored.members_of(key)) for key in restored.services} == {
            key: set(intent.members_of(key)) for key in intent.services
        }


async def enter(store: SqliteStore, intent: Intent, batch: list[Change]) -> None:
    draft = Draft(intent)
    for change in batch:
        before = dict(draft.writes)
        try:
            draft.declare(Declaration(change, "api:test", operator=True))
        except FairleadError:
            assert draft.writes == before
    entries = tuple(
        Entry(name, intent.get(name), after, "api:test")
        for name, after in draft.writes.items()
        if intent.get(name) != after
    )
    if entries:
        await store.commit(Commit(draft.revision, datetime(2026, 1, 1, tzinfo=UTC), entries))
        intent.commit({entry.name: entry.after for entry in entries}, draft.revision)
