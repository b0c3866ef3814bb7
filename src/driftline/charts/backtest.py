"""The picture of a backtest: when which alarms were on, and what is known to have happened.

Refuses to judge: it draws what it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from driftline.charts.figure import FORMATS, INK, KNOWN, make_figure, render_figure
from driftline.types.errors import DriftlineError
from driftline.types.message import COLOURS


def write_chart(told: Mapping[str, Any], to: Path) -> None:
    """Write the picture of `Backtest.told`. Raises DriftlineError for a name that ends in no known
    format.
    """
    to.write_bytes(render_backtest(told, parse_format(to)))


def parse_format(to: Path) -> str:
    """The format that a name asks for. Raises DriftlineError when there is none such."""
    if to.suffix.lower() not in FORMATS:
        raise DriftlineError(f"{to}: the name should end in one of {', '.join(FORMATS)}")
    return to.suffix.lower()


def render_backtest(told: Mapping[str, Any], suffix: str) -> bytes:
    """One lane for each cause, a bar for each alarm; known incidents behind them."""
    causes = sorted({alarm["cause"] for alarm in told["alarms"]}) or ["no alarms"]
    made, (axes,) = make_figure(10, 1.4 + 0.45 * len(causes))
    begin, end = _at(told["from"]), _at(told["to"])
    for one in told.get("known", ()):
        missed = one["found_after_seconds"] is None
        axes.axvspan(
            _at(one["start"]),
            _at(one["end"]),
            color=KNOWN,
            alpha=0.25,
            linewidth=0,
            hatch="///" if missed else None,
        )
    for alarm in told["alarms"]:
        start, until = _at(alarm["start"]), _at(alarm["resolved"] or told["to"])
        wide = max((until - start), (end - begin) / 400)
        axes.barh(
            causes.index(alarm["cause"]),
            wide,
            left=start,
            height=0.55,
            color=COLOURS[alarm["severity"]],
        )
    axes.set_yticks(range(len(causes)), causes)
    axes.set_ylim(-0.6, len(causes) - 0.4)
    axes.set_xlim(_at(told["from"]), _at(told["to"]))
    count, rate = len(told["alarms"]), told["alarms_a_year"]
    words = f"{told['model']}: {count} alarm{'' if count == 1 else 's'}, {rate:.1f} a year"
    if "known" in told:
        found = sum(one["found_after_seconds"] is not None for one in told["known"])
        words += f"; {found} of {len(told['known'])} known incidents (shaded) found"
    if "shuffled" in told:
        words += f"; {told['shuffled']['a_year']:.2f} a year when shuffled"
    axes.set_title(words, loc="left", fontsize=9, color=INK, parse_math=False)
    return render_figure(made, suffix)


def _at(text: str) -> Any:
    """A time; matplotlib takes them where its types know only numbers."""
    return datetime.fromisoformat(text)
