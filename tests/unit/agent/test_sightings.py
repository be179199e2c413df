"""What an agent tells of the containers that it sees, for `fairlead explain` (rows M09, M20)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.docker.engine_said import CART, WEB, WEB_ID, Story, event, facts, line, running
from xds.agent.sightings import Sightings, sighting
from xds.client.errors import RegisterAgain
from xds.sources.docker.stream import Event


class Ear:
    """A control plane that hears what an agent sees."""

    def __init__(self, story: Story) -> None:
        self.heard: list[tuple[str, list[str], list[str]]] = []
        self.known: dict[str, Mapping[str, Any]] = {}
        self.away = False
        self.told = asyncio.Event()
        self.refusals: dict[str, str] = {}
        self.sightings = Sightings(
            "host-7", self._hear, lives=story.containers.lives, strangers=lambda: story.containers.strangers,
            refusals=lambda: self.refusals, moves=object,
        )  # fmt: skip

    async def _hear(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, object]:
        assert path == "/v1/agents/host-7/containers"
        if self.away:
            raise RegisterAgain(404, {"code": "register_again"})
        items, gone = body["items"], body.get("gone", [])
        self.heard.append((method, [each["id"][:1] for each in items], [each[:1] for each in gone]))
        if method == "PUT":
            self.known = {}
        self.known |= {each["id"]: each for each in items}
        for each in gone:
            del self.known[each]
        self.told.set()
        return {}


async def test_all_is_told_once_and_then_what_changed() -> None:
    story = Story().runs(facts(), facts(CART))
    ear = Ear(story)
    story.listed(WEB)
    story.passes(1)
    await ear.sightings.tell()
    await ear.sightings.tell()
    assert ear.heard == [("PUT", ["a"], [])]
    story.listed(WEB, CART)
    await ear.sightings.tell()
    story.engine[WEB] = None
    story.hears(event("destroy"))
    await ear.sightings.tell()
    assert ear.heard[1:] == [("PATCH", ["b"], []), ("PATCH", [], ["a"])]


async def test_a_control_plane_that_has_forgotten_is_told_all_of_it_again() -> None:
    ear = Ear(running())
    await ear.sightings.tell()
    ear.sightings.begin()
    await ear.sightings.tell()
    assert ear.heard == [("PUT", ["a"], [])] * 2


async def test_nothing_is_told_before_the_agent_is_registered_and_all_of_it_at_once_then() -> None:
    """Before, it would be refused; and after a refusal seconds pass until the next word."""
    ear = Ear(running())
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(ear.sightings.run())
        await asyncio.sleep(0)
        assert not ear.heard
        for _ in range(2):  # a control plane that has started anew registers it once more
            ear.told.clear()
            ear.sightings.begin()
            await asyncio.wait_for(ear.told.wait(), 5)
        telling.cancel()
    assert ear.heard == [("PUT", ["a"], [])] * 2


async def test_what_was_not_taken_is_told_once_more() -> None:
    ear = Ear(running())
    ear.away = True
    with pytest.raises(RegisterAgain):
        await ear.sightings.tell()
    ear.away = False
    ear.sightings.begin()
    await ear.sightings.tell()
    assert ear.known.keys() == {WEB}


async def test_a_registered_container_is_told_with_its_address_and_why_not_the_others() -> None:
    story = Story().runs(facts(networks={"front": "10.1.0.2", "back": "10.2.0.2"}))
    story.good.discard("10.2.0.2")
    story.listed(WEB)
    story.passes(6)
    ear = Ear(story)
    await ear.sightings.tell()
    told = ear.known[WEB]
    assert (told["standing"], told["instance"], told["service"]) == ("registered", WEB_ID, "web")
    assert (told["address"], told["way"]) == ("10.1.0.2:8080", "network front")
    assert told["rejected"] == ["10.2.0.2 (network back): nobody listens there", "published: port 8080 is not"]
    assert told["check"]["kind"] == "tcp"
    assert told["labels"] == {"fairlead.service": "web"}


@pytest.mark.parametrize(
    ("labels", "standing", "words"),
    [
        ({"fairlead.service": "web", "fairlead.enable": "false"}, "unlabelled", "did not opt in"),
        ({"fairlead.port": "80"}, "unlabelled", "neither fairlead.enable nor fairlead.service"),
        ({"fairlead.enable": "true"}, "refused", "nothing says which service it is of"),
        ({"fairlead.service": "web", "fairlead.weight": "much"}, "unready", "nobody listens there"),
        ({"fairlead.service": "web", "fairlead.port": "http"}, "refused", "fairlead.port"),
    ],
)
async def test_one_that_is_not_registered_is_told_with_the_reason(
    labels: dict[str, str], standing: str, words: str
) -> None:
    story = Story().runs(facts(labels=labels))
    story.good.clear()
    story.listed(WEB)
    story.passes(1)
    ear = Ear(story)
    await ear.sightings.tell()
    assert ear.known[WEB]["standing"] == standing
    assert words in str(ear.known[WEB]["why"])


async def test_one_without_any_label_is_told_as_the_engines_list_has_it() -> None:
    story = Story()
    story.containers.listed([replace(line(CART), labels={"com.example": "x"}, name="db", image="db:1")], afresh=True)
    ear = Ear(story)
    await ear.sightings.tell()
    told = ear.known[CART]
    assert (told["name"], told["image"], told["standing"]) == ("db", "db:1", "unlabelled")
    assert "fairlead.service" in told["why"]
    story.containers.event(Event("start", WEB, 1, name="cache"), 0.0)
    story.containers.event(Event("die", CART, 2), 0.0)
    await ear.sightings.tell()
    assert [each["name"] for each in ear.known.values()] == ["cache"]


async def test_the_control_planes_no_is_the_reason_where_it_refused() -> None:
    ear = Ear(running())
    ear.refusals[WEB_ID] = "/service as many instances as one service may have"
    await ear.sightings.tell()
    assert ear.known[WEB]["standing"] == "refused"
    assert "as many instances" in ear.known[WEB]["why"]


def test_whatever_stands_in_labels_is_told_as_short_plain_lines() -> None:
    story = Story().runs(
        facts(labels={"fairlead.service": "web", "fairlead.meta.note": "a\nb\u202ec" + "d" * 10_000_000})
    )
    story.listed(WEB)
    (life,) = story.containers.lives()
    (note,) = [value for label, value in sighting(life)["labels"].items() if label.endswith("note")]  # type: ignore[attr-defined]  # a mapping
    assert note.startswith("a?b?c")
    assert len(note) == 1024
