"""The one error of the codec, apart so that callers can name it without importing the codec."""

from __future__ import annotations


class DecodeError(ValueError):
    """Bytes that are not a valid encoding of the message asked for; the sender's fault, never ours.

    `offset` is the position in the input (bytes from its start) at which reading stopped making sense,
    `reason` says what was wrong in words.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset
