"""How large a change is, in words that need no statistics: for the first lines of a message."""

from __future__ import annotations

from driftline.types.notification import AlertFact
from driftline.types.phrasing import Scalar, find_movement, is_share, number, old_and_new

LEAST_RATIO = 1.95
"""The ratio from which on a change reads as a multiple instead of as a percentage."""
MOST_RATIO = 1e6
"""Beyond this ratio the usual value is so near 0 that a multiple says nothing."""


def describe_move(noun: str, before: str, after: str, *, rises: bool) -> str:
    """Return `accuracy fell from 0.85 to 0.73`; the unit stands in `after`."""
    if before == after:
        return f"{noun} {after}"
    return f"{noun} {'rose' if rises else 'fell'} from {before} to {after}"


def count_rows(
    now: Scalar, rows: int, usual: Scalar = None, noun: str = "row", verb: str = ""
) -> str:
    """Return `about 140 of the 400 rows in the newest window, usually none`.

    Empty if `now` is no share from 0 to 1.
    """
    if not isinstance(now, (int, float)) or not 0 <= now <= 1 or rows < 1:
        return ""
    text = f"{_amount(now, rows)} of the {rows:,} {noun}s"
    if now == 1:
        text = f"all {rows:,} {noun}s"
    text += f" in the newest window{verb and f' {verb}'}"
    if not isinstance(usual, (int, float)) or not 0 <= usual <= 1:
        return text
    return f"{text}, usually {_amount(usual, rows)}"


def _amount(share: float, rows: int) -> str:
    amount = share * rows
    if share == 0:
        return "none"
    if amount < 1:
        return "fewer than 1"
    return f"{'all ' if share == 1 else 'about '}{round(amount):,}"


def compare_size(now: Scalar, usual: Scalar) -> str:
    """Return `30% higher than usual`, `5 times the usual value`; empty where a ratio is none."""
    if not isinstance(now, (int, float)) or not isinstance(usual, (int, float)):
        return ""
    if usual == 0 or now == 0 or (now > 0) != (usual > 0):
        return ""
    ratio = now / usual
    if not 1 / MOST_RATIO < ratio < MOST_RATIO:
        return ""
    if ratio >= LEAST_RATIO:
        return f"{number(float(f'{ratio:.2g}'))} times the usual value"
    if ratio <= 1 / LEAST_RATIO:
        return f"{number(float(f'{1 / ratio:.2g}'))} times smaller than usual"
    percent = abs(ratio - 1) * 100
    if percent < 1:
        return ""
    # A number below 0 that grows in size falls.
    is_higher = now > usual
    return f"{percent:.0f}% {'higher' if is_higher else 'lower'} than usual"


def describe_extent(alert: AlertFact) -> str:
    """Return how much is affected, of an alert whose check does not say it; may be empty."""
    movement = find_movement(alert)
    shares = old_and_new(alert.detail, "share")
    if movement is not None and movement.is_share and shares is not None:
        these = "these values" if movement.is_plural else "this value"
        return count_rows(shares[1], alert.rows, shares[0], verb=f"have {these}")
    if movement is not None:
        moved = old_and_new(alert.detail, movement.name)
        text = compare_size(moved[1], moved[0]) if moved is not None else ""
        return text and f"the {movement.name} is {text}"
    if is_share(alert):
        return count_rows(alert.value, alert.rows, alert.was)
    return compare_size(alert.value, alert.was)
