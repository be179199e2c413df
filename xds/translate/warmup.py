"""A translation of nothing in particular, before anybody waits for one.

Encoders are compiled for each message class when it is first written (xds.wire.codec), which takes a few tenths of a
second for all that a service, a gateway and a sidecar are made of. An Envoy waits a second for its runtime: the first
one to connect should not spend it on that.
"""

from __future__ import annotations

from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Address, Instance
from xds.model.names import Key, ServiceKey
from xds.model.node import EGRESS, INGRESS, NodeProfile, Role
from xds.model.route import Route
from xds.model.service import EVERY, Service
from xds.model.split import Split
from xds.model.view import Member, ServiceView

from .build import Builder
from .outputs import FilterSpec

ENV = "warm-up"


def warm_up() -> None:
    """Translate a service with a route, a gateway, a sidecar with its application and a gRPC client; keep nothing."""
    key = ServiceKey(ENV, "web")
    member = Member(Instance("web-1", key, "127.0.0.1", {"http": 1}, version="v1"), Health.HEALTHY)
    service = Service(key, stable="v1", split=Split.whole("v1"))
    subsets = {EVERY: (member,), "v1": (member,)}
    view = ServiceView(service, (member,), subsets, (Route(Key(ENV, "web.all"), key, hosts=("*",)),))
    profiles = {
        NodeProfile(Role.GATEWAY, ENV, gateway="edge"),
        NodeProfile(Role.SIDECAR, ENV, "web", egress=EGRESS, ingress=INGRESS, app=Address("127.0.0.1", 1)),
        NodeProfile(Role.GRPC, ENV),
    }
    Builder(FilterSpec(b"")).build({key: view}, {ENV: (Gateway(Key(ENV, "edge")),)}, frozenset(profiles))
