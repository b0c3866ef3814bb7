"""Small tables for the tests of comparisons, made from a seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def make_table(seed: int, *, rows: int = 2000, columns: int = 6, drift: bool = False) -> pa.Table:
    """Return numbers x0..., a plan and an age; with `drift`, age and plan differ."""
    rng = np.random.default_rng(seed)
    data = {f"x{place}": rng.normal(place, 1 + place, rows) for place in range(columns - 2)}
    shares = [0.2, 0.3, 0.5] if drift else [0.6, 0.3, 0.1]
    data["plan"] = rng.choice(["free", "pro", "team"], rows, p=shares)
    data["age"] = rng.normal(80 if drift else 40, 10, rows)
    return pa.table(data)


def with_outputs(table: pa.Table, seed: int, *, accuracy: float) -> pa.Table:
    """Add a label, and a prediction that is right in a share `accuracy` of the rows."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, table.num_rows)
    prediction = np.where(rng.random(table.num_rows) < accuracy, label, 1 - label)
    return table.append_column("outcome", pa.array(label)).append_column(
        "guess", pa.array(prediction)
    )
