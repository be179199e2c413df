"""The sliding window: what is out of the ordinary, and how seldom a network alone looks like it."""

from __future__ import annotations

import random

from xds.model.health import Health
from xds.model.window import LEAST, SIZE, Window


def filled(*answers: float | None) -> Window:
    """A window of these answers in seconds; None is a loss."""
    window = Window()
    for answer in answers:
        window.add(good=answer is not None, seconds=answer or 0.0)
    return window


def test_m46_success_rate_and_p99_are_those_of_the_last_answers() -> None:
    window = filled(*[None] * 30, *[0.01] * 18, None, 0.2)
    assert window.losses == 1
    assert window.p99 == 0.2
    assert window.numbers()["success_rate"] == 0.95


def test_m51_one_loss_or_one_slow_answer_is_nothing() -> None:
    assert filled(*[0.01] * 19, None).weak() is None
    assert filled(*[0.01] * 19, 3.0).weak() is None
    assert filled(*[0.01] * 30, 0.5, 0.01, 0.4, 0.01, 0.01).weak() is None


def test_m51_repeated_losses_make_unstable_and_say_so_in_numbers() -> None:
    word = filled(*[0.01] * 16, None, 0.01, None, None, 0.01, None).weak()
    assert word is not None
    assert word.health is Health.UNSTABLE
    assert word.why == "4 of the last 20 answers were bad"
    assert word.numbers["evidence"] == 1.0


def test_m51_a_jump_of_the_time_is_half_a_sign_and_with_losses_or_a_large_one_a_whole() -> None:
    usual = [0.01] * 200
    assert filled(*usual, *[0.045] * 3).weak() is None
    alone = filled(*usual, *[0.06] * 5)
    assert 0.5 <= alone.evidence < 1.0
    both = filled(*usual, None, None, *[0.06] * 5).weak()
    assert both is not None
    assert "2 of the last" in both.why
    assert "times as long as usual" in both.why
    assert filled(*usual, *[0.3] * 5).weak() is not None


def test_what_was_out_of_the_ordinary_is_over_only_when_it_is_well_over() -> None:
    window = filled(*[0.01] * 16, *[None] * 4)
    assert window.weak() is not None
    for _ in range(SIZE - 4):
        window.add(good=True, seconds=0.01)
        assert window.weak() is not None, "still four of twenty"
    window.add(good=True, seconds=0.01)
    assert window.weak() is not None, "three of twenty would not begin it, and do not end it"
    for _ in range(2):
        window.add(good=True, seconds=0.01)
    assert window.weak() is None


def test_nothing_is_said_of_a_start() -> None:
    assert filled(*[None] * (LEAST - 1)).weak() is None


def test_m51_a_network_that_loses_one_in_a_hundred_makes_fewer_than_one_in_a_hundred_unstable() -> None:
    """400 instances, 500 answers each: 1 % lost, times spread as networks spread them, with spikes."""
    chance = random.Random(51)
    wronged = 0
    for _ in range(400):
        window, judged = Window(), False
        for _ in range(500):
            seconds = chance.lognormvariate(-5.3, 0.5) + (0.1 if chance.random() < 0.01 else 0.0)
            window.add(good=chance.random() >= 0.01, seconds=seconds)
            judged = judged or window.evidence >= 1
        wronged += judged
    assert wronged < 4, f"{wronged} of 400"
