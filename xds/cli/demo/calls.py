"""Every HTTP call that the demo makes, one method each: what a user would send with curl.

Documents in are plain dicts, as they stand in the API's examples; answers are read with the API's own schemas. A
refusal is told in the API's words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import httpx

from xds.api.schemas.node import NodeList, NodeListed
from xds.api.schemas.report import ExplainOut
from xds.api.schemas.rollout import RolloutOut
from xds.model.breaker import BreakerState

Document = Mapping[str, object]

MOVING = frozenset({"shifting", "promoting", "aborting"})
"""Phases in which a weight is on its way to the Envoys."""


class Refused(Exception):
    """The control plane said no, in its own words."""


class Calls:
    """The API of one control plane at `url`."""

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        self.url = url
        # Proxies from the environment have no business between a demo and its own machine.
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def is_ready(self) -> bool:
        """GET /readyz: whether everything stored has been loaded and published."""
        try:
            answer = await self._http.get("/readyz")
        except httpx.TransportError:
            return False
        return answer.is_success

    async def apply(self, documents: Sequence[Document]) -> None:
        """POST /v1/apply: several documents in one batch, each with its `kind`."""
        answer = await self._send("POST", "/v1/apply", {"documents": list(documents)})
        for result in answer.json()["results"]:
            if result["outcome"] == "refused":
                raise Refused(f"apply: {result['error']['detail']}")

    async def register(self, instance: str, document: Document) -> None:
        """PUT /v1/instances/{id}: one process that serves."""
        await self._send("PUT", f"/v1/instances/{instance}", document)

    async def deregister(self, instance: str) -> None:
        """DELETE /v1/instances/{id}: it takes no new requests once every Envoy has acknowledged that."""
        await self._send("DELETE", f"/v1/instances/{instance}")

    async def nodes(self) -> list[NodeListed]:
        """GET /v1/nodes: every Envoy, what it was sent and what it said."""
        answer = await self._send("GET", "/v1/nodes")
        return NodeList.model_validate(answer.json()).items

    async def explain(self, service: str) -> ExplainOut:
        """GET /v1/services/{service}:explain: from instances to what every Envoy has acknowledged."""
        answer = await self._send("GET", f"/v1/services/{service}:explain")
        return ExplainOut.model_validate(answer.json())

    async def breaker(self, admin_port: int, cluster: str) -> BreakerState:
        """GET /stats/prometheus of an Envoy: how its breaker for `cluster` stands, UNKNOWN while it says nothing."""
        answer = await self._http.get(f"http://127.0.0.1:{admin_port}/stats/prometheus?filter=fairlead_breaker_state")
        for line in answer.text.splitlines():
            name, _, value = line.rpartition(" ")
            if f'cluster="{cluster}"' in name:
                return BreakerState.of(float(value))
        return BreakerState.UNKNOWN

    async def start_rollout(self, service: str, version: str, plan: Sequence[Document] = ()) -> RolloutOut:
        """POST /v1/rollouts: without a plan it waits for weights."""
        return await self._rollout("", {"service": service, "version": version, "plan": list(plan)})

    async def set_weight(self, rollout: str, weight: float) -> RolloutOut:
        """POST /v1/rollouts/{id}:set-weight: percent of the users for the new version."""
        return await self._rollout(f"/{rollout}:set-weight", {"weight": weight})

    async def resume(self, rollout: str) -> RolloutOut:
        """POST /v1/rollouts/{id}:resume: go on with the plan's next step."""
        return await self._rollout(f"/{rollout}:resume")

    async def promote(self, rollout: str) -> RolloutOut:
        """POST /v1/rollouts/{id}:promote: the new version becomes the stable one."""
        return await self._rollout(f"/{rollout}:promote")

    async def abort(self, rollout: str) -> RolloutOut:
        """POST /v1/rollouts/{id}:abort: every user returns to the stable version."""
        return await self._rollout(f"/{rollout}:abort")

    async def settled(self, rollout: RolloutOut, *, patience: float, tell: Callable[[RolloutOut], None]) -> RolloutOut:
        """GET /v1/rollouts/{id}?wait=...: the rollout when its weight is done, or as it is after `patience` seconds.

        `wait` carries the `change` of the answer before, so that the server answers when something has happened; there
        is nothing to poll. `tell` hears of every answer on the way.
        """
        tell(rollout)
        try:
            async with asyncio.timeout(patience):
                while rollout.phase in MOVING:
                    question = f"/v1/rollouts/{rollout.id}?wait={rollout.change}&timeout=5"
                    rollout = RolloutOut.model_validate((await self._send("GET", question)).json())
                    tell(rollout)
        except TimeoutError:
            pass
        return rollout

    async def _rollout(self, path: str, document: Document | None = None) -> RolloutOut:
        answer = await self._send("POST", f"/v1/rollouts{path}", document)
        return RolloutOut.model_validate(answer.json())

    async def _send(self, method: str, path: str, document: Document | None = None) -> httpx.Response:
        """Return a good answer; Refused with the problem's detail otherwise."""
        try:
            answer = await self._http.request(method, path, json=document)
        except httpx.TransportError as error:
            raise Refused(f"{method} {self.url}{path}: no answer ({error!r})") from error
        if not answer.is_success:
            raise Refused(f"{method} {self.url}{path}: {answer.status_code} {_detail(answer)}")
        return answer


def _detail(answer: httpx.Response) -> str:
    """Return the `detail` of a problem document (RFC 9457), or the text of an answer that is none."""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json().get("detail", ""))
    return answer.text[:500]
