"""Labels: free key/value facts about an instance, and the rules that keep them usable.

Keys follow Docker's alphabet (`[a-z0-9._/-]`, upper case allowed on the way in because other tools write it);
values are any text without control characters. The limits keep one hostile container from costing the registry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from xds.model.problems import InvalidInput

MAX_LABELS = 256
MAX_KEY = 253
MAX_VALUE = 4096
MAX_TOTAL = 65_536  # characters of all keys and values of one object

_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # and half characters, which no UTF-8 can hold

Labels = Mapping[str, str]


def escape(token: str) -> str:
    """Return `token` as one RFC 6901 pointer segment."""
    return token.replace("~", "~0").replace("/", "~1")


def is_key(text: str) -> bool:
    """Say whether a label may be called so."""
    return len(text) <= MAX_KEY and _KEY.match(text) is not None


def check_labels(labels: Labels, *, pointer: str = "/labels") -> dict[str, str]:
    """Return a plain copy of `labels`; InvalidInput, pointing at the key, when one breaks a rule above."""
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"{len(labels)} labels, at most {MAX_LABELS} are allowed", pointer=pointer)
    total = 0
    for key, value in labels.items():
        at = f"{pointer}/{escape(key[:64])}"
        total += len(key) + len(value)
        if len(key) > MAX_KEY:
            raise InvalidInput(f"label key of {len(key)} characters, at most {MAX_KEY} are allowed", pointer=at)
        if not _KEY.match(key):
            raise InvalidInput(
                f"label key {key!r} must begin and end with a letter or digit and hold only letters, digits, "
                "'.', '_', '/' and '-'",
                pointer=at,
            )
        if len(value) > MAX_VALUE:
            raise InvalidInput(f"label value of {len(value)} characters, at most {MAX_VALUE} are allowed", pointer=at)
        if control := _CONTROL.search(value):
            raise InvalidInput(f"label value has a control character at position {control.start() + 1}", pointer=at)
    if total > MAX_TOTAL:
        raise InvalidInput(f"labels hold {total} characters in all, at most {MAX_TOTAL} are allowed", pointer=pointer)
    return dict(labels)
