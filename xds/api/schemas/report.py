"""What the control plane says of itself: problems that stand, a service explained, health."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output, Page
from xds.api.schemas.breaker import BreakerOut
from xds.api.schemas.labels import ProposalOut
from xds.api.schemas.overlay import OverlayOut
from xds.api.schemas.rollout import NodeGateOut
from xds.api.schemas.route import RouteOut
from xds.api.schemas.verdict import VerdictOut

_PROBLEM: JsonDict = {
    "kind": "route",
    "object": "default/web.api",
    "pointer": "/split",
    "message": "subset v2 has no healthy instance; its weight goes to v1",
    "severity": "warning",
}


class StandingProblem(Output):
    """One object that could not be used as it is; everything else goes on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    kind: str
    object: str
    pointer: str
    message: str
    severity: str


class ProblemList(Page[StandingProblem]):
    """Every problem that stands now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_PROBLEM], "next": None, "revision": 12}]})


class MemberOut(Output):
    """One instance as traffic sees it."""

    id: str
    address: str
    version: str
    weight: int = Field(description="the weight that holds, overlays considered")
    zone: str
    health: str = Field(description="`draining` also where an overlay drains it")
    serves: bool = Field(description="whether new requests go there on purpose")
    leaving: bool = Field(description="gone, and kept in EDS until no published route wants it")
    verdict: VerdictOut = Field(description="why it is as healthy as it is")
    held: bool = Field(description="gone by absence alone, and served on until the shrink guard lets it go")
    overlays: list[str] = Field(description="the overlays that are about it; the first decides")


class SubsetReport(Output):
    """One subset: who is in it, its clusters by port, and its share in percent."""

    name: str
    clusters: list[str]
    members: list[str]
    serving: int
    wanted: float | int
    effective: float | int


class HoldsOut(Output):
    """One field of the policy that holds for a service, and who decided it: `service`, a label, a policy, `default`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"field": "timeout", "value": "5s", "by": "policy strict"}]}
    )

    field: str
    value: object
    by: str


class ExplainOut(Output):
    """A service from its instances to what every Envoy has acknowledged. Weights are percent by subset."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "web",
                    "env": "default",
                    "stable": "v1",
                    "revision": 12,
                    "instances": [
                        {
                            "id": "web-10-0-0-7-8080",
                            "address": "10.0.0.7:8080",
                            "version": "v1",
                            "weight": 100,
                            "zone": "",
                            "health": "healthy",
                            "serves": True,
                            "leaving": False,
                            "held": False,
                            "verdict": {
                                "health": "healthy",
                                "decided_by": "nobody",
                                "why": "nobody says otherwise",
                                "overruled": [],
                                "signals": [],
                            },
                            "overlays": [],
                        }
                    ],
                    "subsets": [
                        {
                            "name": "v1",
                            "clusters": ["web/v1"],
                            "members": ["web-10-0-0-7-8080"],
                            "serving": 1,
                            "wanted": 100,
                            "effective": 100,
                        }
                    ],
                    "wanted": {"v1": 100},
                    "effective": {"v1": 100},
                    "nodes": [],
                    "routes": [],
                    "rollout": None,
                    "policy": [{"field": "timeout", "value": "5s", "by": "policy strict"}],
                    "proposals": [],
                    "overlays": [],
                    "breakers": [],
                    "problems": [],
                }
            ]
        }
    )

    service: str
    env: str
    stable: str
    revision: int
    instances: list[MemberOut]
    subsets: list[SubsetReport]
    wanted: dict[str, float | int] = Field(description="what the service's split says")
    effective: dict[str, float | int] = Field(description="what is published, after falling back to healthy subsets")
    nodes: list[NodeGateOut] = Field(description="per live Envoy that holds a route of the service")
    routes: list[RouteOut]
    rollout: str | None = Field(description="the id of the rollout in progress")
    policy: list[HoldsOut] = Field(description="how its requests are treated, and who says so")
    proposals: list[ProposalOut] = Field(description="what labels of its instances say, and what does not hold")
    overlays: list[OverlayOut] = Field(description="what operators laid over it and its instances")
    breakers: list[BreakerOut]
    problems: list[StandingProblem]


class HealthOut(Output):
    """The process is up (healthz), or has loaded and published everything (readyz)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "revision": 12}]})

    status: str
    revision: int


class VersionOut(Output):
    """Which Fairlead this control plane is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "0.1.0"}]})

    version: str
