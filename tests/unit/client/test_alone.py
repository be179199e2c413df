"""The client stands alone: an application that imports it gets httpx and nothing of the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xds import client
from xds.client.document import document, own_address

FOREIGN = ("grpc", "envoy_data_plane", "pydantic", "fastapi", "wasmtime", "xds.model", "xds.api", "xds.control")


def test_importing_the_client_loads_nothing_of_the_server() -> None:
    code = f"import sys, xds.client; print([m for m in {FOREIGN!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("name", client.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    assert getattr(client, name).__doc__


def test_the_address_is_the_one_that_reaches_the_control_plane() -> None:
    assert own_address("http://127.0.0.1:15080") == "127.0.0.1"
    assert own_address("http://[::1]:15080") == "::1"
    assert own_address("http://no.such.host.invalid:15080") == "127.0.0.1"
    assert document("web", 80, {"address": "10.0.0.7"}, "http://127.0.0.1:1")["address"] == "10.0.0.7"


def test_the_same_process_names_the_same_start() -> None:
    first, second = (document("web", 80, {}, "http://127.0.0.1:1") for _ in range(2))
    assert first["start"] == second["start"]
    assert first["ttl"] == 10.0


@pytest.mark.parametrize("url", ["127.0.0.1:15080", "ftp://host", "http://", "http://[::1"])
def test_what_is_no_url_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        client.Fairlead(url)
