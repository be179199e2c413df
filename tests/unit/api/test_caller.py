"""What FastAPI calls for each request, before an endpoint."""

from __future__ import annotations

import inspect

import pytest

from xds.api import caller


@pytest.mark.parametrize("name", ["plane_of", "settings_of", "telemetry_of", "caller_of"])
def test_no_request_waits_for_a_thread_to_learn_who_asks_and_what_is_asked(name: str) -> None:
    """FastAPI calls a plain function in a thread, and a busy machine is slow to give one its turn."""
    assert inspect.iscoroutinefunction(getattr(caller, name))
