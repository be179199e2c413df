"""The builder: what changed in the intent in, what changed for Envoys out.

It keeps its own memory of what stands, so that one endpoint's change costs one fragment and a join, and one step of a
rollout one virtual host and a join of the route configurations that hold it. Environments are walls: each is
translated by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from xds.model.gateway import Gateway
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile
from xds.model.problems import Conflict
from xds.model.view import ServiceView
from xds.wire.types import ResourceType

from . import naming
from .environment import Change, Environment
from .filter import extension
from .outputs import Built, FilterSpec, Ledger, OutputKey
from .policy import Policy


class Builder:
    """Translates changes. Equal intents give equal resources, whatever the order in which they came to be."""

    def __init__(self, filter: FilterSpec | None = None) -> None:  # noqa: A002 - the domain's word for it
        """Start empty. Without a filter there is no ECDS resource, and listeners have no slot for it."""
        self._ledger = Ledger()
        self._with_filter = filter is not None
        self._environments: dict[str, Environment] = {}
        self._profiles: frozenset[NodeProfile] = frozenset()
        self._by_env: dict[str, frozenset[NodeProfile]] = {}
        if filter is not None:
            self.use(filter)

    def use(self, filter: FilterSpec) -> None:  # noqa: A002 - as above
        """Replace the filter from the next build on. Conflict for a builder that began without one."""
        if not self._with_filter:
            raise Conflict("listeners were made without a place for a filter: it takes a restart", code="no_filter")
        self._ledger.put(OutputKey(ResourceType.EXTENSION, naming.HEALTH_FILTER, ""), extension(filter))

    def build(
        self,
        services: Mapping[ServiceKey, ServiceView | None],
        gateways: Mapping[str, tuple[Gateway, ...]],
        profiles: frozenset[NodeProfile],
    ) -> Built:
        """Take what changed and return what that makes of the resources.

        `services` holds the changed ones only (None: gone), `gateways` all gateways of each environment in which one
        changed, `profiles` every node profile in use now.
        """
        changes: dict[str, Change] = {}
        for key, view in services.items():
            changes.setdefault(key.env, Change()).services[key.name] = view
        for env, found in gateways.items():
            changes.setdefault(env, Change()).gateways = found
        for env in self._take_profiles(profiles):
            changes.setdefault(env, Change())
        for env, change in changes.items():
            change.profiles = self._by_env.get(env, frozenset())
            environment = self._environments.get(env)
            if environment is None:
                environment = Environment(env, self._ledger, with_filter=self._with_filter)
                self._environments[env] = environment
            environment.apply(change)
        upserts, removals = self._ledger.take()
        problems = tuple(problem for env in sorted(self._environments) for problem in self._environments[env].problems)
        uses = {Key(env, name): used for env, found in self._environments.items() for name, used in found.uses.items()}
        return Built(upserts, removals, problems, self._ledger.carriers(), uses)

    def policy(self, service: ServiceKey) -> Policy:
        """Return the policy that holds for a service as it was last built."""
        environment = self._environments.get(service.env)
        return Policy() if environment is None else environment.policy(service.name)

    def _take_profiles(self, profiles: frozenset[NodeProfile]) -> set[str]:
        """Keep the profiles in use; return the environments in which one came or went."""
        if profiles == self._profiles:
            return set()
        touched = {profile.env for profile in profiles ^ self._profiles}
        self._profiles = profiles
        for env in touched:
            self._by_env[env] = frozenset(profile for profile in profiles if profile.env == env)
        return touched
