"""The debounce: a leading edge, then coalescing with a ceiling; bad news at once. Time is an argument."""

from __future__ import annotations

from xds.control.pace import CEILING, QUIET, REST, Pace


def test_the_first_change_after_a_silence_is_due_at_once() -> None:
    pace = Pace()
    pace.changed(50.0)
    assert pace.due() == 50.0


def test_a_change_right_after_a_publish_waits_for_quiet() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.02)
    assert pace.due() == 50.02 + QUIET


def test_each_further_change_puts_the_publish_off() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.02)
    pace.changed(50.08)
    assert pace.due() == 50.08 + QUIET


def test_an_endless_stream_of_changes_is_published_at_the_ceiling() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    for at in range(1, 200):
        pace.changed(50.0 + at * 0.01)
    assert pace.due() == 50.01 + CEILING


def test_an_endpoint_going_down_is_never_held_back() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.02)
    pace.changed(50.03, urgent=True)
    assert pace.due() == 50.03


def test_a_later_calm_change_does_not_put_an_urgent_one_off() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.03, urgent=True)
    pace.changed(50.03)
    assert pace.due() == 50.03


def test_nothing_is_due_once_it_is_published() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    assert pace.due() is None


def test_silence_is_counted_from_the_last_change_and_not_from_the_last_publish() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.0 + QUIET)
    assert pace.due() == 50.0 + QUIET


def test_an_urgent_change_takes_along_what_was_waiting_and_the_ceiling_starts_anew() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.changed(50.9)
    pace.changed(50.95)
    pace.changed(50.96, urgent=True)
    assert pace.due() == 50.96
    pace.published(50.0)
    pace.changed(51.0)
    assert pace.due() == 51.0 + QUIET


def test_a_change_that_was_waiting_while_the_one_before_was_dealt_with_does_not_come_after_a_silence() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    pace.worked(50.5)
    pace.changed(50.51)
    assert pace.due() == 50.51 + QUIET


def test_what_a_publish_took_is_rested_for_before_the_next() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.spent(0.1)
    pace.spent(0.1)
    pace.published(50.2)
    pace.changed(50.5)
    assert pace.due() == 50.2 + 0.2 * REST


def test_no_rest_is_longer_than_the_ceiling_and_bad_news_do_not_wait_for_its_end() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.spent(2.0)
    pace.published(52.0)
    pace.changed(52.5)
    assert pace.due() == 52.0 + CEILING
    pace.changed(52.6, urgent=True)
    assert pace.due() == 52.6
