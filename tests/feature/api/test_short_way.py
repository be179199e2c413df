"""A registration that is plainly right takes a short way through the API; nobody can tell by the answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from xds.model import intake

PLAIN = {
    "service": "web",
    "address": "10.0.0.9",
    "port": 8080,
    "version": "v1",
    "labels": {"team": "shop"},
    "ttl": "10s",
}
ASKED: list[tuple[dict[str, Any], dict[str, str]]] = [
    (PLAIN, {}),
    (PLAIN, {}),
    (PLAIN | {"weight": 5}, {"if-none-match": "*"}),
    (PLAIN | {"weight": 5}, {"if-match": '"999"'}),
    (PLAIN | {"weight": 5}, {"if-match": "never"}),
    (PLAIN | {"weight": 7}, {"idempotency-key": "once"}),
    (PLAIN | {"weight": 7}, {"idempotency-key": "once"}),
    (PLAIN | {"weight": 8}, {"idempotency-key": "once"}),
    (PLAIN | {"service": "db"}, {}),
    (PLAIN | {"id": "another"}, {}),
    (PLAIN | {"weight": -1}, {}),
    (PLAIN | {"weigth": 1}, {}),
]


async def answers(web: httpx.AsyncClient, name: str) -> list[tuple[int, str, str, dict[str, Any]]]:
    """Status, type, whether there is a tag, and the document of every answer, without what counts up."""
    found = []
    for document, headers in ASKED:
        answer = await web.put(f"/v1/instances/{name}", json=document, headers=headers)
        said = answer.json()
        kept = {key: value for key, value in said.items() if key not in {"request", "revision", "epoch", "lease"}}
        text = {
            key: re.sub(r"revision \d+", "a revision", value.replace(name, "it")) if isinstance(value, str) else value
            for key, value in kept.items()
        }
        found.append((answer.status_code, answer.headers["content-type"], str("etag" in answer.headers), text))
    return found


async def test_both_ways_answer_alike(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    short = intake.declared

    def counted(*given: Any) -> Any:
        nonlocal taken
        found = short(*given)
        taken += found is not None
        return found

    monkeypatch.setattr(intake, "declared", counted)
    by_the_short_way = await answers(web, "web-short")
    monkeypatch.setattr(intake, "declared", lambda *_: None)
    # Under a key of its own: a key belongs to the request that it was used for first.
    for _, headers in ASKED:
        if "idempotency-key" in headers:
            headers["idempotency-key"] = "once-more"
    assert await answers(web, "web-long") == by_the_short_way
    assert taken == 8  # without those whose document or header is not plainly right
