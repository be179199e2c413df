"""What labels say of a service and does not hold, outward."""

from __future__ import annotations

from xds.api.schemas.labels import ProposalOut
from xds.labels.merge import Proposal, merge
from xds.labels.registered import redescribe
from xds.model.intent import Intent
from xds.model.names import ServiceKey


def proposal_out(intent: Intent, proposal: Proposal) -> ProposalOut:
    """Return a proposal as a document."""
    rollout = intent.rollout_of(proposal.service)
    return ProposalOut(
        service=proposal.service.name,
        env=proposal.service.env,
        version=proposal.version,
        field=proposal.field,
        holds=proposal.holds,
        wanted=proposal.wanted,
        rollout=rollout.id if rollout is not None and rollout.version == proposal.version else None,
    )


def proposals_of(intent: Intent, key: ServiceKey) -> list[ProposalOut]:
    """Return what labels of a service's instances say that is other than what stands, whoever declared that."""
    members = (intent.instances[member] for member in sorted(intent.members_of(key)))
    found = [description for each in members if (description := redescribe(each)) is not None]
    if not found:
        return []
    merged = merge(found, intent.services.get(key), "", intent.routes_of(key))
    return [proposal_out(intent, each) for each in merged.proposals]
