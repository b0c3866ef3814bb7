"""One stored measurement with the window that it is of, as readers of the state see it."""

from __future__ import annotations

import msgspec


class StoredMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement of the newest revision of a window; a page reads many, so no dataclass."""

    model: str
    start: int
    """Microseconds since the epoch."""
    version: str
    segment: str
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""
    revision: int
    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    was: float | None
    rows: int
    verdict: str
    """Empty for a measurement that no rule judges."""
    severity: str
    reason: str
    unit: str
    detail: str
    """JSON."""
    reference_id: int | None
    bound_side: str | None
    """Side of the bound that was crossed; empty for none, None in rows before version 0006."""
    bound_value: float | None

    @property
    def is_quiet(self) -> bool:
        """See `is_quiet`."""
        return is_quiet(self.verdict)


def is_quiet(verdict: str) -> bool:
    """Whether a verdict needs no look: `ok`, or none at all."""
    return verdict in ("", "ok")
