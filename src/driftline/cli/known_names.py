"""Names that people type, which must be among those that are known."""

from __future__ import annotations

from collections.abc import Collection

import click

MOST_LISTED = 10
"""Names that a message lists."""


def require_name(name: str, names: Collection[str], kind: str) -> None:
    """Raise click.UsageError, with a suggestion, unless `name` is among `names`.

    `kind` says what the names are of, such as "model".
    """
    if name in names:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1, 0.6)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif names:
        more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
        hint = f"there are: {', '.join(sorted(names)[:MOST_LISTED])}{more}"
    else:
        hint = "there is none yet"
    raise click.UsageError(f"there is no {kind} {name!r}; {hint}")
