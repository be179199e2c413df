"""What ending an Envoy would cut, out of its statistics."""

from __future__ import annotations

from xds.cli.admin import count


def stats(**values: int) -> list[dict[str, object]]:
    return [{"name": name.replace("__", "."), "value": value} for name, value in values.items()]


def test_idle_http_connections_hold_nothing() -> None:
    assert count(stats(listener__in__downstream_cx_active=4, http__web__downstream_cx_active=4)) == 0


def test_requests_are_in_flight() -> None:
    busy = stats(
        listener__in__downstream_cx_active=2, http__web__downstream_cx_active=2, http__web__downstream_rq_active=3
    )
    assert count(busy) == 3


def test_connections_that_are_not_http_are_in_flight_as_long_as_they_are_open() -> None:
    assert count(stats(listener__tcp__downstream_cx_active=2, http__web__downstream_cx_active=0)) == 2


def test_the_admin_interface_and_a_workers_share_do_not_count() -> None:
    own = stats(
        listener__admin__downstream_cx_active=1,
        listener__admin__main_thread__downstream_cx_active=1,
        http__admin__downstream_cx_active=1,
        http__admin__downstream_rq_active=1,
        listener__in__downstream_cx_active=1,
        listener__in__worker_0__downstream_cx_active=1,
    )
    assert count(own) == 1
