"""The journal: who changed what when and why, what stood at a moment, and what two moments differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from envoy_data_plane.message_pool import default_message_pool
from fastapi import APIRouter, Depends, Query
from pydantic import TypeAdapter

from xds.api.aside import Aside
from xds.api.body import DocumentRoute
from xds.api.caller import PlaneOf
from xds.api.convert.document import document_of
from xds.api.convert.overlay import overlay_then
from xds.api.openapi import reads
from xds.api.schemas.journal import (
    DifferenceOut,
    JournalPage,
    MomentOut,
    ObjectChange,
    ResourceChange,
    RowOut,
)
from xds.api.when import read_moment
from xds.control.moments import intent_of, objects_changed, resources_changed, translate
from xds.control.plane import ControlPlane
from xds.control.ports import JournalQuery, Moment
from xds.model.intent import Declared, Kind, Ref
from xds.model.names import DEFAULT_ENV, check_id
from xds.model.overlay import Overlay
from xds.translate.outputs import OutputKey
from xds.wire.codec import decode
from xds.wire.plain import to_plain

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["journal"])

_MOMENT: Final = "a time as in `2026-01-02T03:04:05Z`, or how long ago, as in `10m`"
_ASIDE: Final = Aside()
_Difference = tuple[
    Sequence[dict[str, int | str]],
    Mapping[Ref, tuple[Declared | None, Declared | None]],
    Mapping[OutputKey, tuple[bytes | None, bytes | None]],
]
_ORDER: Final = {
    kind: at for at, kind in enumerate((Kind.SERVICE, Kind.POLICY, Kind.INSTANCE, Kind.ROUTE, Kind.GATEWAY))
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows a caller wants; everything is optional."""

    since: Annotated[str, Query(max_length=64, description=_MOMENT)] = ""
    until: Annotated[str, Query(max_length=64, description=_MOMENT + "; that moment itself is not included")] = ""
    service: Annotated[str, Query(max_length=128, description="only what is about this service")] = ""
    env: Annotated[str, Query(max_length=128, description="the service's environment")] = DEFAULT_ENV
    object: Annotated[str, Query(max_length=300, description="only this object, by its key or id")] = ""
    kind: Annotated[str, Query(max_length=64, description="only rows of this kind")] = ""
    after: Annotated[str, Query(max_length=18, pattern="^[0-9]*$", description="`next` of the page before")] = ""
    limit: Annotated[int, Query(ge=1, le=5000, description="how many at most")] = 500

    def query(self, now: datetime) -> JournalQuery:
        """Return what to ask the journal; InvalidInput."""
        return JournalQuery(
            after=int(self.after or 0),
            limit=self.limit,
            since=read_moment(self.since, now, what="since") if self.since else None,
            until=read_moment(self.until, now, what="until") if self.until else None,
            service=f"{check_id(self.env, pointer='/env', what='env')}/{self.service}" if self.service else "",
            about=self.object,
            kind=self.kind,
        )


@router.get("/journal", summary="Read the journal", responses={**reads(404), 503: reads()[500]})
async def read_journal(plane: PlaneOf, asked: Annotated[Asked, Depends()]) -> JournalPage:
    """Return rows, oldest first: what was declared, and what was observed or decided without a declaration."""
    rows = [_row(row) for row in await plane.store.journal(asked.query(plane.clock.wall()))]
    cursor = str(rows[-1].id) if rows and len(rows) == asked.limit else None
    return JournalPage(items=rows, next=cursor, revision=plane.intent.revision)


@router.get(
    "/journal:at", summary="Read what stood at a moment", responses={**reads(404), 410: reads()[500], 503: reads()[500]}
)
async def read_moment_of(plane: PlaneOf, time: Annotated[str, Query(max_length=64, description=_MOMENT)]) -> MomentOut:
    """Return everything that was declared then, services first, as documents that `apply` takes; overlays beside them.

    Rollouts are not among them: nobody applies a rollout. The split of a service is, as weights.
    """
    with _ASIDE.gently():
        found = await plane.store.moment(read_moment(time, plane.clock.wall(), what="time"))
        documents = await _ASIDE.do(lambda: _documents(found))
    return MomentOut(
        revision=found.revision,
        at=found.at,
        documents=documents,
        overlays=[overlay_then(each) for _, each in sorted(found.objects.items()) if isinstance(each, Overlay)],
        unreadable=[f"{problem.kind} {problem.object}" for problem in found.problems],
    )


@router.get(
    "/journal:diff", summary="Compare two moments", responses={**reads(404), 410: reads()[500], 503: reads()[500]}
)
async def compare(
    plane: PlaneOf,
    at: Annotated[str, Query(max_length=64, description=_MOMENT)],
    to: Annotated[str, Query(max_length=64, description=_MOMENT + "; now when left out")] = "",
    limit: Annotated[int, Query(ge=1, le=5000, description="how many objects and resources at most, each")] = 500,
) -> DifferenceOut:
    """Return which declared objects differ, and which Envoy resources that makes differ.

    Both moments are translated anew, by themselves, with the present filter and for the Envoys that are known now.
    """
    now = plane.clock.wall()
    with _ASIDE.gently():
        before = await plane.store.moment(read_moment(at, now, what="at"))
        after = await plane.store.moment(read_moment(to, now, what="to") if to else now)
        work = partial(_differ, plane, before, after)
        del before, after  # a large registry takes its time to go, too: it goes in that thread
        difference = _ASIDE.do(work)
        del work
        ends, objects, resources = await difference
    shown, cut = list(objects.items())[:limit], list(resources.items())[:limit]
    return DifferenceOut(
        at=ends[0],
        to=ends[1],
        objects=[
            ObjectChange(kind=name.kind.value, object=name.key, before=_document(old), after=_document(new))
            for name, (old, new) in shown
        ],
        resources=[
            ResourceChange(
                type=key.type.short, name=key.name, variant=key.variant, before=_plain(key, old), after=_plain(key, new)
            )
            for key, (old, new) in cut
        ],
        left_out=len(objects) - len(shown) + len(resources) - len(cut),
    )


def _documents(moment: Moment) -> list[dict[str, object]]:
    """Return what can be applied, in the order in which it is."""
    wanted = sorted((name for name in moment.objects if name.kind in _ORDER), key=_place)
    return [document for name in wanted if (document := document_of(moment.objects[name])) is not None]


def _place(name: Ref) -> tuple[int, str]:
    return _ORDER[name.kind], name.key


def _differ(plane: ControlPlane, before: Moment, after: Moment) -> _Difference:
    """Return revision and time of both moments, and which objects and resources differ; both are translated anew."""
    names = {name.key for moment in (before, after) for name in moment.objects if name.kind is Kind.INSTANCE}
    health = {name: plane.intent.health(name) for name in names}
    old, new = (translate(intent_of(moment, health), plane.filter_spec, plane.profiles) for moment in (before, after))
    ends: list[dict[str, int | str]] = [{"revision": moment.revision, "at": moment.at} for moment in (before, after)]
    return ends, objects_changed(before, after), resources_changed(old, new)


def _row(row: Mapping[str, object]) -> RowOut:
    return RowOut.model_construct(**{("object" if name == "key" else name): value for name, value in row.items()})  # type: ignore[arg-type]  # the columns are the fields


def _document(declared: Declared | None) -> dict[str, object] | None:
    if declared is None:
        return None
    plain: dict[str, object] = TypeAdapter(type(declared)).dump_python(declared, mode="json")
    return document_of(declared) or plain


def _plain(key: OutputKey, value: bytes | None) -> dict[str, object] | None:
    if value is None:
        return None
    message = default_message_pool.url_to_type[key.type.url]
    return to_plain(decode(message, value))
