"""The limits of the xDS server as values."""

from __future__ import annotations

from typing import Any

import pytest

from xds.ads import AdsSettings
from xds.model.problems import InvalidInput


@pytest.mark.parametrize(
    "told",
    [
        {"max_streams": 0},
        {"max_streams": 1.5},
        {"max_names": True},
        {"max_request": "4"},
        {"max_request": 2**31},
        {"stream_rate": float("nan")},
        {"keepalive_time": -1.0},
        {"connection_age": float("inf")},
        {"write_deadline": 0.0},
    ],
)
def test_a_limit_that_is_none_is_refused_by_name(told: dict[str, Any]) -> None:
    (name,) = told
    with pytest.raises(InvalidInput, match=f"{name} is ") as caught:
        AdsSettings(**told)
    assert caught.value.pointer == f"/{name}"


def test_a_whole_number_is_a_time_too() -> None:
    options = dict(AdsSettings(connection_age=60, handshake_timeout=3).channel_options())
    assert options["grpc.max_connection_age_ms"] == 60_000
    assert options["grpc.server_handshake_timeout_ms"] == options["grpc.http2.settings_timeout"] == 3_000
