"""Measures how far the vectors of the window have moved from those of the reference.

Does not look at single dimensions, which have no meaning of their own, nor at all rows: each side
is a uniform sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from driftline import Check, CheckContext, Kind, Measurement, Window, above, hookimpl, stats
from driftline.kit.checks import Wording

Floats = NDArray[np.float64]
NAMES = (
    "mean_shift",
    "mmd",
    "centroid_cosine",
    "prototype_distance",
    "prototype_distance_p95",
    "cluster_psi",
)
UNITS = {"mean_shift": "sd", "prototype_distance": "share", "prototype_distance_p95": "share"}
CLUSTERS, ROWS_A_CLUSTER, FAR = 20, 25, 0.95
BANDWIDTH = 200
"""Rows of the reference whose distances give the bandwidth of the kernel."""
SEED = 5


class Embedding(Check):
    """Measures distances between the sampled vectors of window and reference.

    A side has at most 500 rows. Vectors of more than 64 dimensions are projected to 64.

    mean_shift is the distance of the means in standard deviations of the reference (Mahalanobis,
    with the covariance shrunk after Ledoit and Wolf). mmd is the squared maximum mean discrepancy
    (Gaussian kernel with the reference's median distance, 256 random Fourier features).
    centroid_cosine is 1 less the cosine between the means. All three are reduced by what chance
    adds to them, with 95% intervals and p-values; `raw` in the detail is the plain number.

    Half of the reference is clustered by k-means, with up to 20 clusters of 25 rows or more; the
    other half shows what is normal. prototype_distance is how much further vectors are from the
    nearest centre on average (0.1 is 10% further), prototype_distance_p95 the same for the 95th
    percentile. cluster_psi is the PSI of the shares of the clusters. The norm, missing values and
    dimension of the vectors are columns of their own: `NAME.norm`, `NAME.nan_share` and
    `NAME.dimension`.

    | input | answer |
    | --- | --- |
    | no embedding in the schema | nothing |
    | no reference, or fewer than two vectors on a side | no value, with the reason |
    | a redacted column | no value, with the reason: its vectors are not kept |
    | the same sample on both sides | 0, with the interval 0 to 0 |
    | all vectors of the reference equal | no mean_shift, no mmd, nothing based on clusters |
    | vectors whose mean is near the origin | no centroid_cosine: its direction is chance |
    | fewer than 100 vectors in the reference | prototype_distance and cluster_psi without value |
    | vectors of another dimension or with holes; no vectors | not in the sample; invalid |
    """

    type = "embedding"
    collectors = frozenset({"raw_sample"})
    cause = "drift"
    main = "mean_shift"
    default_rules: ClassVar = {"mean_shift": above(warning=0.5), "cluster_psi": above(warning=0.25)}
    min_rows = 100
    default_for: ClassVar = frozenset({"embedding"})
    default_place = 120
    wordings: ClassVar = {
        "mmd": Wording(noun="MMD²"),
        "centroid_cosine": Wording(noun="cosine distance of the means"),
        "cluster_psi": Wording(noun="distance of the cluster shares (PSI)"),
        "prototype_distance_p95": Wording(noun="95th percentile of the prototype distance"),
    }

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield six measurements for each embedding."""
        for name, part in ctx.schema.features.items():
            if part.kind is not Kind.EMBEDDING:
                continue
            ref, cur = _vectors(ctx.reference, name), _vectors(ctx.current, name)
            reason = (
                "its vectors are not kept"
                if name in ctx.schema.redact
                else ""
                if ctx.reference
                else "no reference yet"
            )
            for side, rows in (("reference", ref), ("window", cur)):
                reason = reason or (
                    "" if len(rows) > 1 else f"fewer than two vectors in the sample of the {side}"
                )
            if not reason and ref.shape[1] != cur.shape[1]:
                reason = "the reference has vectors of another dimension"
            measurements = (
                dict.fromkeys(NAMES, Measurement(None, reason=reason))
                if reason
                else _measure_cloud(ref, cur)
            )
            for measurement_name in NAMES:
                m = measurements[measurement_name]
                yield Measurement(
                    m.value,
                    {"column": name},
                    name=measurement_name,
                    rows=len(cur),
                    interval=m.interval,
                    p_value=m.p_value,
                    reason=m.reason,
                    unit=UNITS.get(measurement_name, "") if m.value is not None else "",
                    detail=m.detail,
                )


def _vectors(window: Window | None, name: str) -> Floats:
    """Return the sampled vectors of the most common length, shape (n, d)."""
    names = (
        [value for value in window.summaries.get("raw_sample", {}).get(name, ()) if value]
        if window
        else []
    )
    sizes = [len(value) for value in names]
    size = max(sorted(set(sizes)), key=sizes.count, default=0)
    rows = [np.frombuffer(value, "<f4") for value in names if len(value) == size]
    return np.array(rows, np.float64).reshape(-1, size // 4 or 1)


def _measure_cloud(ref: Floats, cur: Floats) -> dict[str, Measurement]:
    spread = stats.median_squared_distance(ref[:BANDWIDTH]) or 0.0
    measurements = {
        "mean_shift": _shift(
            stats.mahalanobis_shift(ref, cur), "the reference's vectors are all alike"
        ),
        "mmd": _shift(
            stats.fourier_shift(ref, cur, spread / 2, np.random.default_rng(SEED)),
            "most of the reference's vectors are alike",
        ),
        "centroid_cosine": _shift(
            stats.cosine_shift(ref, cur), "the vectors have no common direction"
        ),
    }
    return measurements | _by_clusters(ref, cur)


def _shift(shift: stats.Shift, reason: str) -> Measurement:
    if shift.value is None:
        return Measurement(None, reason=reason)
    return Measurement(
        shift.value, interval=shift.interval, p_value=shift.p_value, detail={"raw": shift.raw}
    )


def _by_clusters(ref: Floats, cur: Floats) -> dict[str, Measurement]:
    names = NAMES[3:]
    training, held_out = ref[::2], ref[1::2]
    count = min(CLUSTERS, len(ref) // (2 * ROWS_A_CLUSTER))
    if count < 2:
        few = Measurement(None, reason=f"needs {4 * ROWS_A_CLUSTER} vectors in the reference")
        return dict.fromkeys(names, few)
    centres = stats.kmeans(training, count, np.random.default_rng(SEED))
    if len(centres) < 2:
        return dict.fromkeys(
            names, Measurement(None, reason="the reference's vectors are all alike")
        )
    current = held_out if np.array_equal(ref, cur) else cur
    (place_was, far_was), (place_now, far_now) = (
        stats.assign(held_out, centres),
        stats.assign(current, centres),
    )
    k = len(centres)
    return {
        names[0]: _growth(stats.mean_estimate(far_now), stats.mean_estimate(far_was)),
        names[1]: _growth(
            stats.quantile_estimate(far_now, FAR), stats.quantile_estimate(far_was, FAR)
        ),
        names[2]: _psi(np.bincount(place_was, minlength=k), np.bincount(place_now, minlength=k)),
    }


def _growth(cur: stats.Estimate, ref: stats.Estimate) -> Measurement:
    value, interval = stats.growth(cur, ref)
    reason = "" if value is not None else "the reference's vectors lie on its centres"
    return Measurement(
        value,
        interval=interval,
        reason=reason,
        detail={"distance": cur.value, "distance_was": ref.value},
    )


def _psi(ref: NDArray[np.int64], cur: NDArray[np.int64]) -> Measurement:
    shift, largest = stats.psi_shift(ref, cur), stats.linf_shift(ref, cur)
    shares = {
        "share_was": float(ref[largest.cells] / np.sum(ref)),
        "share": float(cur[largest.cells] / np.sum(cur)),
    }
    detail = {"raw": shift.raw, "clusters": len(ref), "cluster": largest.cells + 1, **shares}
    return Measurement(shift.value, interval=shift.interval, p_value=shift.p_value, detail=detail)


@hookimpl
def register_checks() -> list[type[Check]]:
    """The check of embeddings."""
    return [Embedding]
