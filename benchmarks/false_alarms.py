"""False alarms of models in which nothing changes, on simulated series of measurements.

    python benchmarks/false_alarms.py --out build/false_alarms.jsonl
    python benchmarks/false_alarms.py --cells iid "wobble 0.1" --rounds 1 --days 90
    python benchmarks/false_alarms.py --quick
    python benchmarks/false_alarms_table.py build/false_alarms.jsonl

The cells stand in `series_cells.py`. Rules and evidence engine are the agent's own. Cells of one
window length are judged side by side, each model with an alarm budget of its own. An alarm is a run of windows in
which any stream of a model is changed: whatever people would be told.

The work goes in rounds: each simulates a few models of every cell, with another seed, so that a
run that is stopped leaves a table of all cells. What the output file has is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.missing import Missing
from numpy.typing import NDArray
from scipy.stats import chi2
from series_cells import (
    CATEGORY_SHARE,
    DAY,
    HOUR,
    REFERENCE_ROWS,
    Cell,
    Floats,
    WindowValues,
    daily_cells,
    random_pairs,
    simulate,
    single_cells,
)

from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.engine import add_window
from driftline.evaluate.evidence.observation import Observation, Panel, StreamNumbers
from driftline.evaluate.evidence.odds import log_odds
from driftline.evaluate.evidence.trail import Stream
from driftline.kit.checks import Unusual
from driftline.types.family import Family

Z = 1.96
"""Standard errors on each side of a 95% interval."""
MIN_ROWS = 100
"""Windows with fewer rows have no judged measurement of drift."""
LEAST_EFFECT = 0.02
MONTH_SHARE = 0.95
"""The extreme monthly means of a sine over a year, as a share of its amplitude."""
BATCH = 12
"""Models that are judged side by side."""
QUICK_CELLS = ("iid", "wobble 0.1", "hour wave 0.3", "1 day", "1 week", "skew 0.15")


def poisson_bounds(count: int, years: float) -> tuple[float, float]:
    """The exact 95% interval of a number of events a year by Poisson's law (Garwood 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low / years), float(chi2.ppf(0.975, 2 * count + 2) / 2 / years)


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """The alarms of all models of one cell."""

    cell: str
    seed: int
    models: int
    days: int
    alarms: list[int]
    """Number of alarms of each model."""
    first_days: list[int]
    """Day of each alarm since the first window."""
    first_streams: list[list[str]]
    """The streams with which each alarm began: measurement and column."""
    seconds: float

    @property
    def years(self) -> float:
        """Simulated years of all models together."""
        return self.models * self.days / 365.25

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95% interval of the alarms a model-year."""
        return poisson_bounds(sum(self.alarms), self.years)

    @property
    def line(self) -> str:
        """The result for people."""
        low, high = self.bounds
        return (
            f"{self.cell:45} {sum(self.alarms) / self.years:6.2f} alarms a model-year "
            f"({low:.2f} to {high:.2f}; {self.models} models, {self.days} days; "
            f"{self.seconds:.0f} s) {self.first_days or ''} {self.first_streams or ''}"
        )


class ModelsJudge:
    """Judges the measurements of all models of a cell."""

    NAMES = ("mean_shift", "psi", "spread", "category_share", "missing_rate")

    def __init__(self, cell: Cell, models: int) -> None:
        self.policy = AlarmPolicy(cell.length)
        self._trail = self.policy.make_trail()
        # The shares of the reference, by measurement.
        shares = {"category_share": cell.category_share, "missing_rate": cell.missing_rate}
        rules = {**Drift.default_rules, **Missing.default_rules}
        observations, budgets = [], []
        ranges = _reference_ranges(cell)
        for name in self.NAMES:
            rule = rules[name].unusual
            assert rule is not None
            is_root = rule.scale in ("root", "cube_root")
            neutral = float(log_odds(shares[name])) if name in shares else 0.0
            low, high = ranges.get(name, (np.nan, np.nan))
            for model in range(models):
                for column in range(cell.columns):
                    budgets.append(model)
                    observations.append(
                        Observation(
                            stream=Stream("", str(model), "check", name, f"c{column}"),
                            column=f"c{column}",
                            level=0.0,
                            size=0.0,
                            tolerance=_tolerance(rule),
                            above=rule.side != "below",
                            below=rule.side != "above",
                            family=Family.QUALITY if name == "missing_rate" else Family.DRIFT,
                            weight=rule.weight,
                            neutral=neutral if rule.obvious is not None else np.nan,
                            reference_low=low,
                            reference_high=high,
                            obvious=_root(rule.obvious, is_root),
                            is_additive=rule.additive and not is_root,
                            is_share=rule.scale == "odds",
                        )
                    )
        self.panel = Panel.of(observations, budgets)
        self._neutral = np.array([observation.neutral for observation in observations])
        self._models, self._columns = models, cell.columns

    def judge(self, values: WindowValues) -> NDArray[np.bool_]:
        """Which streams are changed, shape (measurements, M, C)."""
        rows, chance = values.rows, 1 / values.rows + 1 / REFERENCE_ROWS
        has_rows = rows >= MIN_ROWS
        mean_error = np.sqrt(chance)
        psi_error = np.sqrt(2 * 9) * chance + 2 * np.sqrt(values.psi * chance)
        shares = [_share_numbers(hits, rows) for hits in (values.in_category, values.missing)]
        root = np.sqrt(values.psi)
        none = np.zeros_like(root)
        levels = [values.mean_shift, np.cbrt(values.raw_psi), values.spread]
        sizes = [values.mean_shift, root, values.spread]
        spread_error = mean_error / np.sqrt(2)
        least = [
            none + np.maximum(0.7 * mean_error, 0.002),
            none + 0.003,
            none + np.maximum(0.7 * spread_error, 0.0014),
        ]
        errors = [
            none + mean_error,
            psi_error / np.maximum(2 * root, np.sqrt(psi_error)),
            none + spread_error,
        ]
        for kind, numbers_of_shares in zip(
            (levels, sizes, least, errors), zip(*shares, strict=True), strict=True
        ):
            kind += numbers_of_shares
        levels[:4] = [np.where(has_rows, level, np.nan) for level in levels[:4]]
        numbers = StreamNumbers(
            level=_flat(levels),
            size=_flat(sizes),
            least_sd=_flat(least),
            rows=_flat([rows + none] * len(levels)),
            size_error=_flat(errors),
            neutral=self._neutral,
        )
        evidence = add_window(self._trail, values.start, self.panel, numbers, self.policy)
        changed = np.isfinite(evidence.traces["since"])
        return changed.reshape(len(self.NAMES), self._models, self._columns)


def _reference_ranges(cell: Cell) -> dict[str, tuple[float, float]]:
    """The range of the sizes of each measurement over the months of a reference of a year."""
    if not cell.yearly:
        return {}
    shift = cell.yearly * MONTH_SHARE
    odds = CATEGORY_SHARE / (1 - CATEGORY_SHARE) * np.exp([-shift, shift])
    low, high = log_odds(odds / (1 + odds)).tolist()
    return {"mean_shift": (-shift, shift), "psi": (0.0, shift), "category_share": (low, high)}


def _tolerance(rule: Unusual) -> float:
    """The tolerance on the scale of sizes."""
    if rule.scale == "odds":
        return float(np.log1p(rule.tolerance))
    is_root = rule.scale in ("root", "cube_root")
    return float(np.sqrt(rule.tolerance)) if is_root else rule.tolerance


def _share_numbers(hits: Floats, rows: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Levels, sizes, least standard deviations of the level, and standard errors of the size."""
    share, smoothed = hits / rows, (hits + 1.92) / (rows + 3.84)
    margin = Z * np.sqrt(smoothed * (1 - smoothed) / (rows + 3.84))
    error = (log_odds(smoothed + margin) - log_odds(smoothed - margin)) / (2 * Z)
    return (
        np.log((hits + 0.5) / (rows - hits + 0.5)),
        log_odds(share),
        0.5 * np.sqrt(1 / (hits + 0.5) + 1 / (rows - hits + 0.5)),
        error,
    )


def _root(obvious: float | None, is_root: bool) -> float:
    if obvious is None:
        return np.inf
    return float(np.sqrt(obvious)) if is_root else obvious


def _flat(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([array.ravel() for array in arrays])


def run_cells(cells: Sequence[Cell], *, models: int, days: int, seed: int) -> Iterator[CellResult]:
    """Simulate the models of cells with one panel, and count the runs of windows with a change."""
    began = time.monotonic()
    judge = ModelsJudge(cells[0], models * len(cells))
    alarms: list[tuple[int, int, list[str]]] = []
    was_on = np.zeros(models * len(cells), bool)
    simulations = [simulate(cell, models=models, days=days, seed=seed) for cell in cells]
    for number, values in enumerate(zip(*simulations, strict=True)):
        changed = judge.judge(WindowValues.side_by_side(values))
        is_on = changed.any(axis=(0, 2))
        for model in np.flatnonzero(is_on & ~was_on).tolist():
            streams = [
                f"{judge.NAMES[name]} of c{column}"
                for name, column in zip(*np.nonzero(changed[:, model]), strict=True)
            ]
            alarms.append((model, int(number * cells[0].length // DAY), streams))
        was_on = is_on
    for place, cell in enumerate(cells):
        own = [alarm for alarm in alarms if alarm[0] // models == place]
        yield CellResult(
            cell=cell.name,
            seed=seed,
            models=models,
            days=days,
            alarms=np.bincount([model % models for model, _, _ in own], minlength=models).tolist(),
            first_days=[day for _, day, _ in own],
            first_streams=[streams for _, _, streams in own],
            seconds=round((time.monotonic() - began) / len(cells), 1),
        )


def run_cell(cell: Cell, *, models: int, days: int, seed: int) -> CellResult:
    """Simulate the models of one cell."""
    return next(run_cells([cell], models=models, days=days, seed=seed))


def batches(cells: Sequence[Cell], models: int) -> Iterator[list[Cell]]:
    """The cells in groups of one panel, so that up to `BATCH` models are judged together."""
    groups: dict[tuple[float, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.length, cell.columns, cell.yearly), []).append(cell)
    for group in groups.values():
        count = max(1, BATCH // models)
        for first in range(0, len(group), count):
            yield group[first : first + count]


def load_results(path: Path | None) -> list[CellResult]:
    """What was run before."""
    if path is None or not path.exists():
        return []
    return [CellResult(**json.loads(text)) for text in path.read_text().splitlines()]


def main() -> None:
    """Run what the file doesn't have yet, and print one line a cell and round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=int, default=4, help="models of a cell in a round")
    parser.add_argument("--days", type=int, help="a year when absent; two for yearly seasons")
    parser.add_argument("--pairs", type=int, default=30, help="random pairs of regimes")
    parser.add_argument("--cells", nargs="*", help="names of cells; all when absent")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first round")
    parser.add_argument("--out", type=Path, help="JSON Lines; what is there is not run again")
    parser.add_argument("--quick", action="store_true", help="six cells, one model, 120 days")
    options = parser.parse_args()
    cells = list(
        {
            cell.name: cell
            for cell in (*single_cells(), *daily_cells(), *random_pairs(options.pairs))
        }.values()
    )
    rounds, models = options.rounds, options.models
    if options.quick:
        cells, rounds, models = [cell for cell in cells if cell.name in QUICK_CELLS], 1, 1
    if options.cells:
        unknown = set(options.cells) - {cell.name for cell in cells}
        if unknown:
            parser.error(f"unknown cells: {', '.join(sorted(unknown))}")
        cells = [cell for cell in cells if cell.name in options.cells]
    results = {(result.cell, result.seed): result for result in load_results(options.out)}
    for seed in range(options.seed, options.seed + rounds):
        waiting = [cell for cell in cells if (cell.name, seed) not in results]
        for batch in batches(waiting, models):
            # Short windows take long: one model a round.
            count = 1 if batch[0].length < HOUR else models
            days = options.days or (120 if options.quick else batch[0].days)
            for result in run_cells(batch, models=count, days=days, seed=seed):
                results[result.cell, seed] = result
                if options.out is not None:
                    options.out.parent.mkdir(exist_ok=True, parents=True)
                    with options.out.open("a") as out:
                        out.write(json.dumps(asdict(result)) + "\n")
                print(result.line, flush=True)
    count = sum(sum(result.alarms) for result in results.values())
    years = sum(result.years for result in results.values())
    print(f"all: {count} alarms in {years:.0f} model-years", file=sys.stderr)


if __name__ == "__main__":
    main()
