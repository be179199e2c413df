"""Asking a container: what a label may not make the agent call."""

from __future__ import annotations

import socket

import pytest

from xds.model.check import Check, CheckKind
from xds.sources.docker.addresses import Candidate
from xds.sources.docker.probing import ask


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200"])
async def test_h3_a_metadata_service_is_not_called_whatever_a_label_says(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []

    class Watched(socket.socket):
        def __init__(self, *words: int) -> None:
            super().__init__(*words)
            opened.append(self)

    monkeypatch.setattr(socket, "socket", Watched)
    (said,) = await ask([Candidate(address, {"default": 80}, "the label", 80)], Check(CheckKind.TCP))
    assert "is not called" in said
    assert opened == []
