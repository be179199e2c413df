"""The log of `serve`: what a line says, it says with the node and the type it is about."""

from __future__ import annotations

import logging

from xds.cli.logs import Lines


def line(message: str, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "xds.ads", "levelname": "INFO", "msg": message, **extra})
    return Lines().format(record).split(" ", 2)[2]


def test_facts_that_came_along_stand_at_the_end() -> None:
    assert line("stream opened", node="edge-1", type="cds") == "INFO xds.ads: stream opened node=edge-1 type=cds"


def test_values_with_spaces_are_quoted() -> None:
    assert line("refused", reason="no token") == "INFO xds.ads: refused reason='no token'"


def test_a_line_without_facts_is_only_its_message() -> None:
    assert line("stopping") == "INFO xds.ads: stopping"
