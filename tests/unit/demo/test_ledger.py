"""The ledger finds every broken promise, from answers that no Envoy has to give."""

from __future__ import annotations

from tests.unit.demo.users import NEW, OLD, SALT, play_round, some_ledger, users_of
from xds.cli.demo.ledger import Direction
from xds.cli.demo.runner import population
from xds.model.bucket import bucket
from xds.model.split import Split


def test_users_who_are_where_the_hash_puts_them_leave_a_clean_ledger() -> None:
    ledger = some_ledger()
    for weight in (500, 2500, 5000, 10_000):
        ledger.moving(weight)
        play_round(ledger)
        ledger.moved(1)
        play_round(ledger)
    assert (str(ledger.went_back), str(ledger.misplaced), str(ledger.failed)) == ("0", "0", "0")
    assert ledger.requests == 8 * len(ledger.users)


def test_growing_a_weight_moves_users_only_towards_the_new_version() -> None:
    ledger = some_ledger()
    before: set[int] = set()
    for weight in (500, 2500, 5000, 10_000):
        ledger.moving(weight)
        there = set(users_of(ledger, NEW))
        assert before < there
        before = there


def test_a_user_who_goes_back_is_found_and_named() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    user = users_of(ledger, NEW)[0]
    ledger.answered(ledger.leave(user), NEW)
    ledger.answered(ledger.leave(user), OLD)
    assert ledger.went_back.number == 1
    assert ledger.users[user] in str(ledger.went_back)


def test_while_a_weight_is_on_its_way_a_user_may_be_where_the_old_split_or_the_new_one_says() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    user = users_of(ledger, NEW)[0]
    ledger.answered(ledger.leave(user), OLD)
    ledger.answered(ledger.leave(user), NEW)
    assert ledger.misplaced.number == 0
    assert ledger.went_back.number == 0


def test_once_a_weight_is_done_a_user_at_the_old_version_is_misplaced() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    ledger.moved(1)
    user = users_of(ledger, NEW)[0]
    ledger.answered(ledger.leave(user), OLD)
    assert ledger.misplaced.number == 1
    assert f"bucket {bucket(SALT, ledger.users[user].encode())}" in str(ledger.misplaced)


def test_a_request_that_left_before_the_weight_was_done_may_still_tell_of_the_old_split() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    user = users_of(ledger, NEW)[0]
    on_its_way = ledger.leave(user)
    window = ledger.moved(1)
    ledger.answered(on_its_way, OLD)
    assert ledger.misplaced.number == 0
    assert window.answered == 0


def test_a_user_the_new_split_does_not_move_may_not_move_meanwhile() -> None:
    ledger = some_ledger()
    ledger.moving(500)
    user = users_of(ledger, OLD)[0]
    ledger.answered(ledger.leave(user), NEW)
    assert ledger.misplaced.number == 1


def test_an_abort_may_bring_users_back_and_nobody_forward() -> None:
    ledger = some_ledger()
    ledger.moving(2500)
    ledger.moved(1)
    moved = users_of(ledger, NEW)
    play_round(ledger)
    ledger.moving(0, Direction.BACK)
    ledger.answered(ledger.leave(moved[0]), OLD)
    assert ledger.went_back.number == 0
    ledger.answered(ledger.leave(moved[0]), NEW)
    assert ledger.went_back.number == 1


def test_a_failed_request_is_counted_with_its_reason() -> None:
    ledger = some_ledger()
    window = ledger.moved(1)
    ledger.lost(ledger.leave(3), "status 503 from Envoy itself")
    assert str(ledger.failed) == f"1 ({ledger.users[3]}: status 503 from Envoy itself)"
    assert window.answered == 1


def test_only_the_first_few_failures_are_told() -> None:
    ledger = some_ledger()
    for user in range(50):
        ledger.lost(ledger.leave(user), "status 500 from v2")
    assert str(ledger.failed).startswith("50 (")
    assert str(ledger.failed).count("status") == 3


def test_a_window_holds_whole_rounds_of_all_users_and_nothing_more() -> None:
    ledger = some_ledger(300)
    window = ledger.moved(1000)
    assert window.size == 1200
    for _ in range(5):
        play_round(ledger)
    assert window.is_full
    assert window.answered == sum(window.by_version.values()) == 1200
    assert len(window.users) == 300


def test_a_window_ends_with_the_next_move() -> None:
    ledger = some_ledger()
    window = ledger.moved(1)
    ledger.moving(500)
    play_round(ledger)
    assert window.answered == 0


def test_how_many_users_belong_to_a_version_is_counted_not_estimated() -> None:
    ledger = some_ledger()
    split = Split.whole(OLD).shift({OLD: 7500, NEW: 2500})
    assert ledger.on_new(split) == sum(bucket(SALT, user.encode()) >= 7500 for user in ledger.users)


def test_the_same_seed_draws_the_same_users_and_no_user_twice() -> None:
    assert population(4000, 7) == population(4000, 7)
    assert population(4000, 7) != population(4000, 8)
    assert len(set(population(4000, 7))) == 4000


def test_while_the_new_version_is_sick_its_users_may_be_anywhere_and_their_losses_are_counted_apart() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    play_round(ledger)
    ledger.moved(1)
    user = users_of(ledger, NEW)[0]
    on_its_way = ledger.leave(user)
    ledger.sickens()
    ledger.lost(on_its_way, "status 500 from v2")
    ledger.lost(ledger.leave(user), "status 500 from v2")
    ledger.answered(ledger.leave(user), OLD)
    assert (ledger.suffered.number, str(ledger.failed)) == (2, "0")
    assert (str(ledger.went_back), str(ledger.misplaced)) == ("0", "0")


def test_once_it_is_well_every_user_has_to_be_back_where_the_hash_says() -> None:
    ledger = some_ledger()
    ledger.moving(5000)
    ledger.moved(1)
    user = users_of(ledger, NEW)[0]
    ledger.sickens()
    on_its_way = ledger.leave(user)
    ledger.recovers()
    ledger.answered(on_its_way, OLD)
    assert str(ledger.misplaced) == "0", "it left while the version was sick"
    ledger.answered(ledger.leave(user), OLD)
    assert ledger.misplaced.number == 1
