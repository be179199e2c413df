"""Checks: from documents to values of the model, and back."""

from __future__ import annotations

from xds.api.convert.pointers import under
from xds.api.schemas.check import CheckIn, CheckOut
from xds.model.check import Check, CheckKind
from xds.model.duration import write_duration
from xds.model.problems import InvalidInput
from xds.net.targets import never_called


def check_of(document: CheckIn, address: str) -> Check:
    """Return the check of a document, which will go to `address`.

    InvalidInput points below `/check`, or with `blocked_target` at an address that is never called.
    """
    if reason := never_called(address):
        raise InvalidInput(f"{address} is not checked: {reason}", pointer="/address", code="blocked_target")
    return described(document)


def described(document: CheckIn) -> Check:
    """Return the check of a document that nobody here will make; InvalidInput points below `/check`."""
    with under("/check"):
        return Check(
            kind=CheckKind(document.kind),
            port=document.port,
            path=document.path,
            host=document.host,
            service=document.service,
            interval=document.interval,
            timeout=document.timeout,
            rise=document.rise,
            fall=document.fall,
            start_period=document.start_period,
            fast=document.fast,
            tls=document.tls,
        )


def check_out(check: Check) -> CheckOut:
    """Return a check as a document."""
    return CheckOut(
        kind=check.kind.value,
        port=check.port,
        path=check.path,
        host=check.host,
        service=check.service,
        interval=write_duration(check.interval),
        timeout=None if check.timeout is None else write_duration(check.timeout),
        rise=check.rise,
        fall=check.fall,
        start_period=write_duration(check.start_period),
        fast=check.fast,
        tls=check.tls,
    )
