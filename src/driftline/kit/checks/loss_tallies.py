"""Gives the check of slices the rows and losses of its slices, counted once for each window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from driftline.kit.checks.loss_rows import COLLECTOR, LossRows
from driftline.profiles.window import Window
from driftline.stats import (
    Driver,
    DriverSegments,
    SegmentTallies,
    SliceGrid,
    SliceTallies,
    make_conditions,
    mask_rows,
    rank_segments,
)
from driftline.types.arrays import Floats, Mask

ENOUGH_ROWS = 1_000
"""Labelled rows of a reference whose values make the conditions of all windows."""


class LossTallies:
    """Counts of slices of windows; what was counted is kept with the window."""

    def __init__(self, rows: LossRows, reference: Window | None) -> None:
        """Take the rows of windows, and the reference if there is one."""
        self._rows = rows
        self._reference = reference
        self._fixed = None if reference is None else self._grid_of_reference(reference)
        self._made: dict[tuple[int, ...], SliceGrid] = {}
        self._sums: dict[tuple[int, ...], SliceTallies] = {}

    def grid(self, windows: Sequence[Window], *, adds_reference: bool = True) -> SliceGrid:
        """Return the slices: those of the reference, or of these windows where it has few rows.

        With `adds_reference` its few rows count as well.
        """
        if self._fixed is not None:
            return self._fixed
        parts = [*self._reference_windows(adds_reference), *windows]
        key = tuple(id(window) for window in parts)
        if key not in self._made:
            self._made[key] = SliceGrid(make_conditions(self._rows.sample(parts).columns))
        return self._made[key]

    def of_slices(self, grid: SliceGrid, windows: Sequence[Window]) -> SliceTallies:
        """Return the tallies of the slices in all these windows together."""
        key = (id(grid), *(id(window) for window in windows))
        if key not in self._sums:
            self._sums[key] = grid.total([self._count(grid, window) for window in windows])
        return self._sums[key]

    def of_baseline(self, grid: SliceGrid, windows: Sequence[Window]) -> SliceTallies:
        """Return those of the reference and of these windows."""
        return self.of_slices(grid, [*self._reference_windows(True), *windows])

    def losses(self, windows: Sequence[Window]) -> Floats:
        """Return the losses of the rows of these windows, shape (rows,)."""
        return np.concatenate([np.empty(0), *(self._rows.rows(part).losses for part in windows)])

    @property
    def reference_losses(self) -> Floats:
        """Those of the reference."""
        return self.losses(self._reference_windows(True))

    def mask(self, grid: SliceGrid, place: int, windows: Sequence[Window]) -> Mask:
        """Return for which rows of these windows a condition of the grid holds, shape (rows,)."""
        parts = [
            mask_rows(self._rows.rows(window).columns, [grid.conditions[place]])[0]
            for window in windows
        ]
        return np.concatenate(parts)

    def rank_drivers(self, windows: Sequence[Window]) -> list[Driver]:
        """Split the change of the mean loss since the reference by each column."""
        if self._reference is None:
            return []
        key = (COLLECTOR, "segments", *self._rows.names)
        derived = self._reference.derived
        if key not in derived:
            derived[key] = DriverSegments(self._rows.rows(self._reference).columns)
        segments: DriverSegments = derived[key]
        before = self._count_segments(segments, self._reference)
        counts = (self._count_segments(segments, window) for window in windows)
        return rank_segments(segments, before, reduce(add, counts))

    def _reference_windows(self, adds_reference: bool) -> list[Window]:
        return [self._reference] if adds_reference and self._reference is not None else []

    def _grid_of_reference(self, reference: Window) -> SliceGrid | None:
        key = (COLLECTOR, "grid", *self._rows.names)
        if key not in reference.derived:
            rows = self._rows.rows(reference)
            reference.derived[key] = (
                SliceGrid(make_conditions(rows.columns, with_new=True))
                if len(rows.losses) >= ENOUGH_ROWS
                else None
            )
        grid: SliceGrid | None = reference.derived[key]
        return grid

    def _count(self, grid: SliceGrid, window: Window) -> SliceTallies:
        key = (COLLECTOR, "tallies", *self._rows.names)
        counted: tuple[SliceGrid, SliceTallies] | None = window.derived.get(key)
        if counted is None or counted[0] is not grid:
            rows = self._rows.rows(window)
            counted = window.derived[key] = grid, grid.count(rows.columns, rows.losses)
        return counted[1]

    def _count_segments(self, segments: DriverSegments, window: Window) -> SegmentTallies:
        key = (COLLECTOR, "counts", *self._rows.names)
        counted: tuple[DriverSegments, SegmentTallies] | None = window.derived.get(key)
        if counted is None or counted[0] is not segments:
            rows = self._rows.rows(window)
            counted = window.derived[key] = segments, segments.count(rows.columns, rows.losses)
        return counted[1]
