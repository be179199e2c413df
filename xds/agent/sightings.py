"""What the agent sees of each container, told to the control plane for `explain`: also those that it does not register.

Once all of it, then what changed; whatever went wrong, once more all of it. It is for people: nothing waits for it, and
registering goes another way (`reporting.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

import httpx

from xds.agent.document import check_document
from xds.client.errors import ClientError
from xds.labels.reading import ours_among
from xds.model.sighting import Standing
from xds.sources.docker.facts import Summary
from xds.sources.docker.life import NO_LABEL, Life

LOOK: Final = 1.0  # seconds between two looks at whether anything is new
RETRY: Final = 15.0
AT_ONCE: Final = 200  # containers in one request
MOST: Final = 20_000
MOST_LABELS: Final = 64
MOST_LINES: Final = 32
LONGEST: Final = 1024

Request = Callable[[str, str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
Document = dict[str, object]

_log = logging.getLogger(__name__)


def sighting(life: Life, refusal: str = "") -> Document:
    """Return a followed container as the API takes it; `refusal` is the control plane's no to its registration."""
    facts, said, told, proof = life.facts, life.said, life.told, life.proof
    standing, why = life.stands()
    if refusal:
        standing, why = Standing.REFUSED, f"the control plane refused it: {refusal}"
    found: Document = {"id": life.id, "name": _line(life.name), "standing": standing.value, "why": _line(why)}
    if facts is not None:
        ours = sorted(ours_among(facts.labels).items())[:MOST_LABELS]
        found |= {"image": _line(facts.image), "healthcheck": _line(facts.health)}
        found["labels"] = {_line(label): _line(value) for label, value in ours}
    if said is not None:
        found |= {"service": said.service.name, "env": said.service.env, "version": said.version}
        found["instance"] = said.instance_id
        if said.check is not None:
            found["check"] = check_document(said.check)
    if told is not None:
        end = told.instance.endpoint(next(iter(told.instance.ports)))
        found |= {"address": str(end), "way": _line(told.place.way)}
    rejected = life.rejected if told is not None else proof.rejected(None) if proof is not None else ()
    found["rejected"] = [_line(each) for each in rejected[:MOST_LINES]]
    problems = life.problems[:MOST_LINES]
    found["problems"] = [{"pointer": _line(each.pointer), "message": _line(each.message)} for each in problems]
    return found


def passing(line: Summary) -> Document:
    """Return a container that did not opt in, of which its engine's list is all that is known."""
    return {
        "id": line.id,
        "name": _line(line.name),
        "image": _line(line.image),
        "standing": Standing.UNLABELLED.value,
        "why": NO_LABEL,
    }


class Sightings:
    """Keeps one control plane informed. `lives` and `strangers` are the containers as they are now."""

    def __init__(  # noqa: PLR0913 - where each thing is to be had, by name
        self,
        agent: str,
        request: Request,
        *,
        lives: Callable[[], Iterable[Life]],
        strangers: Callable[[], Iterable[Summary]],
        refusals: Callable[[], Mapping[str, str]],
        moves: Callable[[], object],
    ) -> None:
        """Tell nothing yet; `moves` is something else whenever anything of it may be."""
        self._path = f"/v1/agents/{agent}/containers"
        self._request = request
        self._lives = lives
        self._strangers = strangers
        self._refusals = refusals
        self._moves = moves
        self._seen: object = None
        self._known: dict[str, object] = {}
        self._whole = True
        self._begun = asyncio.Event()
        self._trouble = ""

    def begin(self) -> None:
        """Say that the control plane has heard nothing yet: the next word is all of it, and comes at once."""
        self._whole = True
        self._begun.set()

    async def run(self) -> None:
        """Tell, for ever, once the agent is registered; what goes wrong here stops nothing else."""
        await self._begun.wait()
        while True:
            pause = LOOK
            self._begun.clear()
            try:
                await self.tell()
                self._trouble = ""
            except (ClientError, httpx.HTTPError) as error:
                self._whole, pause = True, RETRY
                self._note(str(error) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._begun.wait(), pause)

    async def tell(self) -> None:
        """Tell what is new, if anything is; the errors of the client when nobody takes it."""
        whole, self._whole, moves = self._whole, False, self._moves()
        if moves == self._seen and not whole:
            return
        now = dict(self._look())
        known = {} if whole else self._known
        fresh = [make() for mark, make in (now[each] for each in now if now[each][0] != known.get(each))]
        gone = sorted(known.keys() - now.keys())
        if whole:
            await self._request("PUT", self._path, {"items": fresh[:AT_ONCE]})
            fresh = fresh[AT_ONCE:]
        while fresh or gone:
            await self._request("PATCH", self._path, {"items": fresh[:AT_ONCE], "gone": gone[:AT_ONCE]})
            fresh, gone = fresh[AT_ONCE:], gone[AT_ONCE:]
        self._known, self._seen = {each: mark for each, (mark, _) in now.items()}, moves

    def _look(self) -> Iterator[tuple[str, tuple[object, Callable[[], Document]]]]:
        """Yield each container with a mark that differs when it does, and how to describe it."""
        refusals, room = self._refusals(), MOST
        for life in self._lives():
            refusal = refusals.get(life.said.instance_id, "") if life.said else ""
            health = life.facts.health if life.facts else ""
            room -= 1
            yield life.id, ((life.name, life.state(), health, life.rejected, refusal), _of(life, refusal))
        for line in list(self._strangers())[: max(0, room)]:
            yield line.id, (line.name, _passing(line))

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("what is seen of containers is not told: %s", trouble)
        self._trouble = trouble


def _of(life: Life, refusal: str) -> Callable[[], Document]:
    return lambda: sighting(life, refusal)


def _passing(line: Summary) -> Callable[[], Document]:
    return lambda: passing(line)


def _line(text: str) -> str:
    """Return text as one line of bounded length, whatever somebody wrote into a label."""
    plain = "".join(char if char.isprintable() else "?" for char in text[:LONGEST])
    return plain if len(text) <= LONGEST else f"{plain[: LONGEST - 3]}..."
