"""The debounce: a leading edge, then coalescing with a ceiling; bad news at once. Time is an argument."""

from __future__ import annotations

from xds.control.pace import AT_ONCE, CEILING, QUIET, REST, Pace


def spent(at: float = 50.0) -> Pace:
    """A debounce whose publishes at once have all been made, at this moment."""
    pace = Pace()
    for _ in range(AT_ONCE):
        pace.changed(at)
        pace.published(at)
    return pace


def test_the_first_change_after_a_silence_is_due_at_once() -> None:
    pace = Pace()
    pace.changed(50.0)
    assert pace.due() == 50.0


def test_the_next_few_changes_after_a_silence_are_due_at_once_too() -> None:
    pace = Pace()
    for number in range(AT_ONCE):
        pace.changed(50.0 + number * 0.02)
        assert pace.due() == 50.0 + number * 0.02
        pace.published(50.0)
    pace.changed(50.07)
    assert pace.due() == 50.07 + QUIET


def test_a_silence_gives_the_publishes_at_once_back() -> None:
    pace = spent()
    for at in (60.0, 60.01):
        pace.changed(at)
        assert pace.due() == at
        pace.published(50.0)


def test_a_change_right_after_those_waits_for_quiet() -> None:
    pace = spent()
    pace.changed(50.02)
    assert pace.due() == 50.02 + QUIET


def test_each_further_change_puts_the_publish_off() -> None:
    pace = spent()
    pace.changed(50.02)
    pace.changed(50.08)
    assert pace.due() == 50.08 + QUIET


def test_an_endless_stream_of_changes_is_published_at_the_ceiling() -> None:
    pace = spent()
    for at in range(1, 200):
        pace.changed(50.0 + at * 0.01)
    assert pace.due() == 50.01 + CEILING


def test_an_endpoint_going_down_is_never_held_back() -> None:
    pace = spent()
    pace.changed(50.02)
    pace.changed(50.03, urgent=True)
    assert pace.due() == 50.03


def test_a_later_calm_change_does_not_put_an_urgent_one_off() -> None:
    pace = spent()
    pace.changed(50.03, urgent=True)
    pace.changed(50.03)
    assert pace.due() == 50.03


def test_nothing_is_due_once_it_is_published() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.published(50.0)
    assert pace.due() is None


def test_silence_is_counted_from_the_last_change_and_not_from_the_last_publish() -> None:
    pace = spent()
    pace.changed(50.0 + QUIET)
    assert pace.due() == 50.0 + QUIET


def test_an_urgent_change_takes_along_what_was_waiting_and_the_ceiling_starts_anew() -> None:
    pace = spent()
    pace.changed(50.05)
    pace.changed(50.08)
    pace.changed(50.09, urgent=True)
    assert pace.due() == 50.09
    pace.published(50.0)
    pace.changed(50.12)
    assert pace.due() == 50.12 + QUIET


def test_a_change_that_was_waiting_while_the_one_before_was_dealt_with_does_not_come_after_a_silence() -> None:
    pace = spent()
    pace.worked(50.5)
    pace.changed(50.51)
    assert pace.due() == 50.51 + QUIET


def test_a_publish_that_takes_no_longer_than_a_silence_needs_no_rest() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.spent(QUIET)
    pace.published(50.1)
    pace.changed(50.11)
    assert pace.due() == 50.11


def test_a_long_publish_is_rested_for_but_bad_news_do_not_wait_for_the_end_of_that() -> None:
    pace = Pace()
    pace.changed(50.0)
    pace.spent(0.1)
    pace.spent(0.9)
    pace.published(51.0)
    pace.changed(51.01)
    assert pace.due() == 51.0 + REST
    pace.changed(51.02, urgent=True)
    assert pace.due() == 51.02
