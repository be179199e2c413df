"""What people see: a table on a terminal, one line a step elsewhere, and last words that help."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.unit.demo.users import play_round, some_ledger
from xds.cli.demo.board import Board, Row
from xds.cli.demo.farewell import failure
from xds.cli.demo.screen import Screen, draw, plain
from xds.cli.demo.stage import documents
from xds.cli.demo.story import Disappointed
from xds.cli.demo.verdict import Gate, judge, measure

DONE = Gate("done", acked=3, live=3, seconds=0.12)


def board_with_a_step(failed: str = "") -> tuple[Board, Row]:
    ledger = some_ledger(2000)
    board = Board(ledger, lambda _: None)
    row = board.begin("canary", 25)
    ledger.moving(2500)
    row.tell(DONE)
    row.window = ledger.moved(2000)
    if failed:
        ledger.lost(ledger.leave(0), failed)
    play_round(ledger)
    seen = measure(row.title, DONE, 3, ledger, row.window)
    row.finish(seen, judge(seen))
    return board, row


def drawn(board: Board) -> str:
    """The table on a terminal of the usual width."""
    console = Console(file=io.StringIO(), width=80, no_color=True)
    console.print(draw(board, 1500.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_shows_what_was_promised_of_a_step() -> None:
    board, row = board_with_a_step()
    assert row.seen is not None
    shown = " ".join(drawn(board).split())
    assert f"canary 25 % 3 of 3 120 ms 2,000 {row.seen.share:.2f} %" in shown
    assert f"{row.seen.users_seen:,}/{row.seen.users_wanted:,} 0 0" in shown
    assert "2,000 users · 2,000 requests (1,500 a second) · 0 went back · 0 failed" in shown


def test_a_step_in_progress_shows_what_is_known_so_far() -> None:
    ledger = some_ledger()
    board = Board(ledger, lambda _: None)
    board.begin("canary", 5).tell(Gate("waiting", acked=1, live=3, seconds=0.01))
    assert "canary 5 % 1 of 3 10 ms 0 0" in " ".join(drawn(board).split())


def test_without_a_terminal_each_step_is_one_line() -> None:
    _, row = board_with_a_step()
    console = Console(file=io.StringIO(), width=80)
    screen = Screen(console)
    screen.finished(row)
    assert isinstance(console.file, io.StringIO)
    (line,) = console.file.getvalue().splitlines()
    assert line.startswith("held   canary 25 %  wanted  25 %, ACKed by 3 of 3 after 120 ms; share ")
    assert line.endswith("0 went back, 0 failed")


def test_a_broken_step_says_so_in_its_line() -> None:
    _, row = board_with_a_step("status 503 from Envoy itself")
    assert plain(row).startswith("BROKEN canary 25 %")
    assert plain(row).endswith("1 failed")


def test_the_last_words_name_expectation_expected_seen_and_logs() -> None:
    _, row = board_with_a_step("status 503 from Envoy itself")
    words = failure(Disappointed(row.broken), Path("/tmp/demo/logs"))
    assert "canary 25 %: failed requests: expected 0, seen 1 (user-" in words
    assert words.endswith("Logs: /tmp/demo/logs")


def test_the_documents_that_come_with_the_demo_are_a_service_a_gateway_and_a_route() -> None:
    assert [document["kind"] for document in documents()] == ["service", "gateway", "route"]
    assert documents()[0]["split_key"] == {"header": "x-user"}


def test_a_step_that_no_envoy_acknowledged_tells_what_the_api_said() -> None:
    _, row = board_with_a_step()
    assert row.seen is not None
    blocked = Gate("blocked", acked=2, live=3, seconds=15.0, reason="edge refused: no such cluster")
    (broken,) = judge(replace(row.seen, gate=blocked))
    assert "edge refused: no such cluster" in failure(Disappointed((broken,)), Path("logs"))


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    ledger = some_ledger(4000)
    board = Board(ledger, lambda _: None)
    row = board.begin("v1 stopped", 100)
    ledger.moving(10_000)
    slow = replace(DONE, seconds=0.999)
    row.tell(slow)
    row.window = ledger.moved(2000)
    play_round(ledger)
    row.finish(measure(row.title, slow, 3, ledger, row.window), ())
    shown = " ".join(drawn(board).split())
    assert "…" not in shown
    assert "v1 stopped 100 % 3 of 3 999 ms 4,000 100.00 % 4,000/4,000 0 0" in shown


def test_an_act_that_is_no_step_says_in_words_what_happened() -> None:
    board, _ = board_with_a_step()
    row = board.begin("v2 sick", 50)
    row.note = "cut off by edge itself after 7 errors, 31 ms"
    row.close(())
    assert plain(row) == "held   v2 sick      cut off by edge itself after 7 errors, 31 ms"
    assert "v2 sick: cut off by edge itself after 7 errors, 31 ms" in " ".join(drawn(board).split())
