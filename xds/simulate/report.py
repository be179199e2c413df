"""A run in figures, for people and programs, and in columns of text, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from xds.simulate.run import BINS, Counts, Run
from xds.simulate.texts import NS_PER_MS, NS_PER_S

BARS: Final = " ▁▂▃▄▅▆▇█"
STATES: Final[Mapping[str, str]] = {"closed": "·", "open": "█", "probing": "?", "ramp": "▒"}
"""One character for each state of a breaker; `forced_*` have none, since nobody forces anything here."""


def figures(run: Run) -> dict[str, object]:
    """Return one run as plain values: counts, percent with two decimals, seconds with three."""
    total = run.total
    return {
        "setting": run.setting.name,
        "workers": run.setting.workers,
        "breaker": None if run.setting.breaker is None else run.setting.breaker.to_struct(),
        "seconds": run.length_ns / NS_PER_S,
        "requests": total.requests,
        "errors_without": total.would_fail,
        "errors_with": total.failed,
        "mean_ms_without": _mean_ms(total.would_wait_ns, total.requests),
        "mean_ms_with": _mean_ms(total.waited_ns, total.requests),
        "remapped": total.remapped,
        "rejected": total.rejected,
        "opens": run.opens,
        "first_open_s": first_open(run),
        "versions": {name: _version(run, name) for name in run.setting.split.weights},
        "transitions": [
            {
                "at_s": round(each.at_ns / NS_PER_S, 3),
                "version": each.version,
                "from": each.before,
                "to": each.after,
                "why": each.why,
            }
            for each in run.transitions
        ],
        "complaints": dict(run.complaints),
    }


def first_open(run: Run) -> float | None:
    """Return the second in which the first breaker opened."""
    return next((round(each.at_ns / NS_PER_S, 3) for each in run.transitions if each.after == "open"), None)


def _version(run: Run, name: str) -> dict[str, object]:
    total = run.total
    served, home = total.served.get(name, 0), total.home.get(name, 0)
    return {
        "weight": run.setting.split.weights[name] / 100,
        "share_without": percent(home, total.requests),
        "share_with": percent(served, total.requests),
        "errors_without": total.home_failures.get(name, 0),
        "errors_with": total.failures.get(name, 0),
        "opens": sum(each.after == "open" and each.version == name for each in run.transitions),
        "away_s": round(away_ns(run, name) / NS_PER_S, 3),
    }


def _mean_ms(waited_ns: int, requests: int) -> float:
    return round(waited_ns / NS_PER_MS / requests, 2) if requests else 0.0


def percent(part: int, whole: int) -> float:
    """Return a part in percent, with two decimals."""
    return round(100 * part / whole, 2) if whole else 0.0


def away_ns(run: Run, version: str) -> int:
    """Return how long a version was cut off: open, or probing."""
    away, since = 0, None
    for each in run.transitions:
        if each.version == version and (each.after in {"open", "probing"}) != (since is not None):
            if since is None:
                since = each.at_ns
            else:
                away, since = away + each.at_ns - since, None
    return away + (run.length_ns - since if since is not None else 0)


def failing(bins: Sequence[Counts], *, breaker: bool) -> list[float]:
    """Return the percent of requests that fail, for each part of the run."""
    return [percent(each.failed if breaker else each.would_fail, each.requests) for each in bins]


def chart(run: Run) -> str:
    """Return a run as lines of text: the errors without and with the breaker, and the state of each version."""
    without, with_it = failing(run.bins, breaker=False), failing(run.bins, breaker=True)
    top = max(*without, *with_it, 0.01)
    rows = {"errors without": _bars(without, top), "errors with": _bars(with_it, top)}
    part = run.length_ns // BINS
    for name in run.setting.split.weights:
        rows[name] = "".join(STATES.get(run.state(name, (at + 1) * part), "!") for at in range(BINS))
    width = max(map(len, rows))
    lines = [f"{name:<{width}} {row}" for name, row in rows.items()]
    seconds = f"{run.length_ns / NS_PER_S:g} s"
    lines.append(f"{'':<{width}} 0{seconds:>{BINS - 1}}")
    words = ", ".join(f"{sign} {state}" for state, sign in STATES.items())
    return "\n".join([*lines, f"top of the bars: {top:g} % of requests; {words}"])


def _bars(values: Sequence[float], top: float) -> str:
    """A value above nothing shows at least the lowest bar."""
    most = len(BARS) - 1
    return "".join(BARS[max(round(value / top * most), 1 if value else 0)] for value in values)
