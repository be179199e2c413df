"""Which Host headers name this machine, and when an open door is refused (fault A3)."""

from __future__ import annotations

import pytest

from xds.api.guard import is_loopback
from xds.api.settings import ApiSettings
from xds.model.problems import InvalidInput


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080", "LOCALHOST:1"]
)
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        None,
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "10.0.0.7:8080",
        "[::2]:80",
        "127.0.0.1.nip",
    ],
)
def test_names_of_something_else(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.com"])
def test_beyond_loopback_a_token_is_needed(host: str) -> None:
    with pytest.raises(InvalidInput, match="token"):
        ApiSettings(host=host)
    assert not ApiSettings(host=host, token="secret").checks_host
    assert not ApiSettings(host=host, insecure_non_loopback=True).checks_host


def test_an_empty_token_is_no_token() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        ApiSettings(token="  ")
