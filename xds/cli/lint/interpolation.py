"""Variables in a compose file: their defaults, where they have any. The environment is not asked: lint runs anywhere.

Source: the Compose Specification, "Interpolation".
"""

from __future__ import annotations

import re
from typing import Final

_VARIABLE: Final = re.compile(r"\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^}]*))?\})")


def filled(text: str) -> tuple[str, str]:
    """Return text with defaults filled in and `$$` as `$`, and the first variable that has no default, or nothing."""
    missing: list[str] = []

    def fill(found: re.Match[str]) -> str:
        plain, braced, how, default = found.groups()
        name = plain or braced
        if name is None:
            return "$"
        if how and how.endswith("-"):
            return str(default)
        missing.append(name)
        return found[0]

    return _VARIABLE.sub(fill, text), missing[0] if missing else ""
