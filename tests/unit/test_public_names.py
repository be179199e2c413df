"""The names that programs rely on: there, typed, and loaded only when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import xds


@pytest.mark.parametrize("name", xds.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    assert getattr(xds, name).__doc__


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Snapshots'"):
        _ = xds.Snapshots


def test_importing_the_package_loads_neither_grpc_nor_messages() -> None:
    code = "import sys, xds; print([m for m in ('grpc', 'envoy_data_plane', 'pydantic') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
