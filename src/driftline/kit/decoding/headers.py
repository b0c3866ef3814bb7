"""The setting `headers` of formats whose records may have values without names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from driftline.contracts.format import Format


class FormatWithHeaders(Format):
    """A format whose settings name the input values that have no names in the records."""

    headers: tuple[str, ...] = ()
    """Names of the input values, in order, for records that have no names.

    When empty, the columns of the reference that are inputs are used; without a reference the
    values are `_c0`, `_c1` and so on. Records with their own names, such as JSON objects, keep
    them.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """Return a copy with `names` as headers, where the settings have none."""
        return self if self.headers else self.model_copy(update={"headers": tuple(names)})
