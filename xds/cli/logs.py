"""How `serve` writes its log: one line per event, with the facts that came along as `name=value` at its end."""

from __future__ import annotations

import logging
import sys

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "fields", "color_message"}


class Lines(logging.Formatter):
    """`2026-11-20 13:50:35,885 INFO xds.ads: stream opened node=edge-1 type=cds`."""

    def __init__(self) -> None:
        """Begin each line with time, level and logger."""
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """Return the line with what the caller gave as `extra`; values with spaces are quoted."""
        facts = (f"{name}={_plain(value)}" for name, value in vars(record).items() if name not in _OWN)
        return " ".join((super().formatMessage(record), *facts))


def log_to_stderr(level: str) -> None:
    """Send everything from `level` on to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for chatty in ("httpx", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _plain(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(char.isspace() for char in text) else text
