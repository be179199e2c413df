"""How long tests of faults last: short in every run, whole in `make soak`, which sets FAIRLEAD_SOAK.

A test of a fault carries its id in its name (`test_r2_...`); what the ids mean stands in docs/faults.md.
"""

from __future__ import annotations

import os
import re
from typing import Final, TypeVar

SHARE: Final = float(os.environ.get("FAIRLEAD_SOAK") or 0)
"""How much of the whole is tried: 1 in `make soak`, less where somebody tries the soak itself."""
FAULT: Final = re.compile(r"_([prhdscawtux]1?\d)(?:_|$|\[)")
"""A fault's id in a test's name, in lower case; never an `m..`, which is a row."""
PART_OF_SOAK: Final = {
    *(f"{kind}{number}" for kind, most in (("r", 6), ("h", 5), ("s", 4), ("c", 3)) for number in range(1, most + 1)),
    *("a4", "a5", "t1", "x1", "p11"),
}


Number = TypeVar("Number", int, float)


def lasting(short: Number, whole: Number) -> Number:
    """Return a count, or seconds: `short` beside all other tests, `whole` in a soak."""
    return max(short, type(whole)(whole * SHARE))


def faults_of(test: str) -> set[str]:
    """Return the ids of the faults that a test names."""
    return set(FAULT.findall(test))
