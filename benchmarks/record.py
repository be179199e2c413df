"""What every benchmark shares: medians of repeated runs, and the file that keeps them.

Figures are absolute and belong to the machine; ratios come from one run and travel. Nothing that names a host, a user
or a path is recorded.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def median_seconds(run: Callable[[], object], *, repeat: int = 7) -> float:
    """Return the median time of `repeat` calls of `run`, after one that is not counted."""
    run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def machine() -> dict[str, object]:
    """Return what the numbers depend on: processor, cores, Python, platform."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
    }


def record(
    name: str,
    figures: Mapping[str, float],
    ratios: Mapping[str, float],
    *,
    results: Path = RESULTS,
) -> Path:
    """Write `results/<name>.json`, print it as a table, and return its path. Numbers keep four significant digits."""
    content = {
        "name": name,
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),  # noqa: TID251 - the time of the run
        "machine": machine(),
        "figures": {key: float(f"{value:.4g}") for key, value in figures.items()},
        "ratios": {key: float(f"{value:.4g}") for key, value in ratios.items()},
    }
    results.mkdir(exist_ok=True)
    path = results / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for key, value in {**figures, **ratios}.items():
        print(f"{name:12} {key:28} {value:12.4g}")
    return path
