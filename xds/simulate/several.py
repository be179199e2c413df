"""Several runs over the same traffic, a process each: a run keeps one core busy."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from xds.simulate.proxy import Setting
from xds.simulate.run import Run, simulate
from xds.simulate.traffic import Traffic


def simulate_all(module: bytes, traffic: Traffic, settings: Sequence[Setting], length_ns: int) -> list[Run]:
    """Return a run for each setting, in their order. Raises Refused, Trapped."""
    if len(settings) == 1:
        return [simulate(module, traffic, settings[0], length_ns)]
    processes = min(len(settings), os.cpu_count() or 1)
    # Not forked: whoever calls this may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return list(pool.map(simulate, repeat(module), repeat(traffic), settings, repeat(length_ns)))
