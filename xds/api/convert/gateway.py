"""Gateways: from documents to values of the model, and back."""

from __future__ import annotations

import ipaddress

from xds.api.schemas.gateway import GatewayIn, GatewayOut, ListenerOut
from xds.model.gateway import Gateway, GatewayListener
from xds.model.names import Key, check_id
from xds.model.problems import InvalidInput


def gateway_of(document: GatewayIn, env: str, owner: str, name: str | None = None) -> Gateway:
    """Return the gateway of a document; `name` is the one in the path, which the document may repeat."""
    if name is not None and document.name not in {None, name}:
        raise InvalidInput(f"the path says {name!r}, the document {document.name!r}", pointer="/name")
    key = Key(
        check_id(env, pointer="/env", what="env"),
        check_id(name or document.name or "", pointer="/name", what="gateway name"),
    )
    bare = Gateway(key)
    for at, listener in enumerate(document.listeners or ()):
        try:
            ipaddress.ip_address(listener.address)
        except ValueError:
            raise InvalidInput(
                f"{listener.address[:64]!r} is not an IPv4 or IPv6 address", pointer=f"/listeners/{at}/address"
            ) from None
    return Gateway(
        key=key,
        listeners=bare.listeners
        if document.listeners is None
        else tuple(GatewayListener(each.name, each.address, each.port) for each in document.listeners),
        hosts=bare.hosts if document.hosts is None else tuple(document.hosts),
        owner=owner,
    )


def gateway_out(gateway: Gateway, *, revision: int) -> GatewayOut:
    """Return a gateway as a document."""
    return GatewayOut(
        name=gateway.key.name,
        env=gateway.key.env,
        listeners=[ListenerOut(name=each.name, address=each.address, port=each.port) for each in gateway.listeners],
        hosts=list(gateway.hosts),
        revision=revision,
        owner=gateway.owner,
    )
