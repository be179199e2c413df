"""Runs as a picture, SVG or PNG by the file's name: errors without and with the breaker, and who was cut off when."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xds.model.problems import InvalidInput, Unavailable
from xds.simulate.report import failing
from xds.simulate.run import BINS, Run
from xds.simulate.texts import NS_PER_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = (".svg", ".png")


def check(path: Path) -> None:
    """InvalidInput for a file of another kind, Unavailable where the library that draws is not installed."""
    if path.suffix not in FORMATS:
        raise InvalidInput(f"{path.name} is neither {' nor '.join(FORMATS)}", pointer="/chart")
    try:
        import matplotlib  # noqa: F401, PLC0415 - an extra: only who draws needs it
    except ImportError:
        raise Unavailable("charts in files need matplotlib: pip install 'fairlead[chart]'") from None


def draw(runs: Sequence[Run], path: Path) -> None:
    """Writes one panel for each run. The same runs give the same file."""
    import matplotlib  # noqa: PLC0415 - as above

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fairlead"
    from matplotlib import pyplot  # noqa: PLC0415 - as above

    figure, panels = pyplot.subplots(
        len(runs), 1, figsize=(9, 2.2 * len(runs) + 0.8), sharex=True, squeeze=False, layout="constrained"
    )
    for panel, run in zip(panels[:, 0], runs, strict=True):
        _panel(panel, run)
    panels[-1, 0].set_xlabel("seconds")
    panels[0, 0].legend(loc="upper right", fontsize="small", frameon=False)
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    try:
        figure.savefig(path, metadata=metadata)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", pointer="/chart") from None
    finally:
        pyplot.close(figure)


def _panel(panel: Axes, run: Run) -> None:
    length = run.length_ns / NS_PER_S
    edges = [length * at / BINS for at in range(BINS + 1)]
    panel.stairs(failing(run.bins, breaker=False), edges, label="without breaker", color="tab:red", linestyle=":")
    panel.stairs(failing(run.bins, breaker=True), edges, label="with breaker", color="tab:blue", fill=True, alpha=0.6)
    for version in run.setting.split.weights:
        _shade(panel, run, version)
    panel.set_title(run.setting.name, loc="left", fontsize="small")
    panel.set_ylabel("errors, %")
    panel.set_ylim(bottom=0)
    panel.set_xlim(0, length)


def _shade(panel: Axes, run: Run, version: str) -> None:
    """Grey where the version was cut off, lighter where it came back."""
    own = [each for each in run.transitions if each.version == version]
    for each, following in itertools.zip_longest(own, own[1:]):
        end = run.length_ns if following is None else following.at_ns
        shade = {"open": 0.25, "probing": 0.25, "ramp": 0.1}.get(each.after)
        if shade:
            panel.axvspan(each.at_ns / NS_PER_S, end / NS_PER_S, color="grey", alpha=shade, linewidth=0)
