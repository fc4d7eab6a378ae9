"""What an evaluation found, as a picture. Needs matplotlib, an extra."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.records.evaluations import Evaluation, Rate
from dedupindex.reports.amounts import count

DPI = 120
LINE = 0.24  # inches an attack
RECALL, PRECISION = "#2f6f9f", "#c0632b"


def require_matplotlib() -> None:
    """Raise before the work begins where matplotlib is missing.

    Raises
    ------
    SettingsError
    """
    if find_spec("matplotlib") is None:
        raise SettingsError("--plot needs more packages: install dedupindex with its extra 'plot'")


def evaluation_png(evaluation: Evaluation) -> bytes:
    """Return a PNG: recall by attack as bars, precision and recall over the threshold as lines, with 95 % intervals.

    Raises
    ------
    SettingsError
        matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    height = max(4.5, 1.3 + LINE * len(evaluation.attacks))
    figure = Figure(figsize=(12.5, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _bars(left, evaluation)
    _curves(right, evaluation)
    figure.suptitle(
        f"{count(evaluation.used, 'picture')}, {count(evaluation.copies, 'attacked copy', 'attacked copies')}; "
        "95 % confidence intervals"
    )
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _bars(axes: Any, evaluation: Evaluation) -> None:
    """One bar an attack, the first on top."""
    rates = [attack.direct for attack in evaluation.attacks]
    places = range(len(rates))
    axes.barh(
        places,
        [100 * rate.share for rate in rates],
        xerr=_errors(rates),
        color=RECALL,
        alpha=0.75,
        error_kw={"ecolor": "#222222", "elinewidth": 1, "capsize": 2.5},
    )
    for place, rate in zip(places, rates, strict=True):
        axes.text(101.5, place, f"{rate.hits} of {rate.total}", va="center", fontsize=8, color="#444444")
    axes.set_yticks(places, [attack.label for attack in evaluation.attacks])
    axes.set_ylim(len(rates) - 0.4, -0.6)
    axes.set_xlim(0, 114)
    axes.set_xticks(range(0, 101, 10))
    axes.set_xlabel("recall, %")
    axes.set_title("Copies reported with their original")
    axes.spines[["top", "right"]].set_visible(False)


def _curves(axes: Any, evaluation: Evaluation) -> None:
    """Precision and recall over the threshold."""
    precision = [(point, point.precision) for point in evaluation.curve if point.precision is not None]
    recall = [(point, point.recall) for point in evaluation.curve]
    for name, colour, width, line in (("precision", PRECISION, 4, precision), ("recall", RECALL, 1.5, recall)):
        thresholds = [point.threshold for point, _ in line]
        axes.fill_between(
            thresholds, [100 * r.low for _, r in line], [100 * r.high for _, r in line], color=colour, alpha=0.2, lw=0
        )
        axes.plot(thresholds, [100 * r.share for _, r in line], color=colour, lw=width, label=name)
    axes.axvline(evaluation.threshold, color="#444444", lw=1, ls="--", label=f"in force: {evaluation.threshold:g}")
    lowest = min(100 * rate.low for _, rate in [*precision, *recall])
    axes.set_ylim(max(0.0, lowest - 0.05 * (100 - lowest)), 100 + 0.03 * (100 - lowest))
    axes.set_xlim(0, 1)
    axes.set_xlabel("threshold")
    axes.set_ylabel("%")
    axes.set_title("Other thresholds")
    axes.legend(loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)


def _errors(rates: Sequence[Rate]) -> list[list[float]]:
    """Lengths to the left and right; never below 0, which rounding could make of nothing."""
    return [
        [max(0.0, 100 * (rate.share - rate.low)) for rate in rates],
        [max(0.0, 100 * (rate.high - rate.share)) for rate in rates],
    ]
