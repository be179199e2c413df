"""More streams, and more names, on all three servers, and the plots of it in docs/images.

Not part of `make bench`, for it takes as long again: two lines through the grid, not the whole of it.
Run as `python -m benchmarks.peers.sweep`; with `--draw` it only draws what was recorded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.record import RESULTS, record

from .programs import Programs
from .sides import FAIRLEAD, LINEAR, PEERS, SNAPSHOT, Load, measure, prepare

IMAGES = Path(__file__).parents[2] / "docs" / "images"
STREAMS, NAMES, PROTOCOLS = (100, 300, 1000), (10, 100, 1000), ("delta", "sotw")
MOST, MIDDLE = STREAMS[-1], NAMES[1]
BY_NAMES = tuple((MOST, names) for names in NAMES)
BY_STREAMS = tuple((streams, MIDDLE) for streams in STREAMS)
FLIPS = 3
TITLES = {"delta": "incremental (delta)", "sotw": "state of the world"}
STYLES = {
    FAIRLEAD: ("Fairlead", "#1f6f8b", "o-"),
    LINEAR: ("LinearCache", "#c96f2e", "s--"),
    SNAPSHOT: ("SnapshotCache", "#7a7a7a", "^:"),
}
Figures = Mapping[str, float]


def key(protocol: str, streams: int, names: int, peer: str, unit: str) -> str:
    """Return what a figure of the sweep is called."""
    return f"{protocol}_{streams}x{names}_{peer}_{unit}"


def sweep(programs: Programs) -> None:
    """Measure both lines and record them."""
    found: dict[str, float] = {}
    for protocol in PROTOCOLS:
        for streams, names in sorted({*BY_NAMES, *BY_STREAMS}):
            for peer in PEERS:
                one = measure(programs, peer, Load(protocol, streams, names), FLIPS)
                found[key(protocol, streams, names, peer, "us")] = one.flips.push_us
                found[key(protocol, streams, names, peer, "ms")] = one.flips.last_ms
                found[key(protocol, streams, names, peer, "kib")] = one.stream_kib
                print(f"{protocol} {streams} x {names} {peer} {one.flips.push_us:.1f} us", flush=True)
    record("fanout_sweep", found, {})


def recorded() -> Figures:
    """Return the figures of the last sweep."""
    content = json.loads((RESULTS / "fanout_sweep.json").read_text(encoding="utf-8"))
    figures: Figures = content["figures"]
    return figures


def draw(found: Figures, images: Path = IMAGES) -> None:
    """Draw CPU and memory against names at the most streams, and time against streams at the middle of the names."""
    plots = {
        "cpu": (BY_NAMES, NAMES, f"names each of {MOST:,} streams asks for", "server CPU per push, us", "us"),
        "memory": (BY_NAMES, NAMES, f"names each of {MOST:,} streams asks for", "memory per stream, KiB", "kib"),
        "time": (BY_STREAMS, STREAMS, f"streams, {MIDDLE} names each", "to the last stream, ms", "ms"),
    }
    images.mkdir(parents=True, exist_ok=True)
    for name, (points, places, below, beside, unit) in plots.items():
        figure = Figure(figsize=(8.4, 3.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for protocol, axes in zip(PROTOCOLS, panels, strict=True):
            for peer in PEERS:
                heights = [found[key(protocol, *point, peer, unit)] for point in points]
                label, colour, line = STYLES[peer]
                axes.plot(places, heights, line, color=colour, label=label)
            _dress(axes, TITLES[protocol], below, places)
        panels[0].set_ylabel(beside)
        panels[0].legend(frameon=False)
        with mpl.rc_context({"svg.hashsalt": "fanout", "svg.fonttype": "none"}):
            figure.savefig(images / f"fanout-{name}.svg", metadata={"Date": None})


def _dress(axes: Axes, title: str, below: str, places: tuple[int, ...]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.minorticks_off()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(below)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Measure if that is wanted, and draw."""
    parser = argparse.ArgumentParser(prog="sweep")
    parser.add_argument("--draw", action="store_true", help="only draw what was recorded")
    if not parser.parse_args().draw:
        sweep(prepare())
    draw(recorded())


if __name__ == "__main__":
    main()
