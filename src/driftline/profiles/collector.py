"""The contract of a collector: one mergeable part of a profile.

The result of merging must not depend on its order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch, LabelledRows
    from driftline.profiles.spec import ProfileSpec


class Collector(ABC):
    """A mergeable summary of rows: a monoid of `zero`, `update` and `merge`, read by `summary`.

    Laws, tested by `driftline.testing.assert_collector_contract`: merging is associative and
    commutative to the same bytes, zero changes nothing, updating with two batches is the same as
    merging two collectors, and from_bytes(to_bytes(x)) is x.
    """

    name: ClassVar[str]
    """The name by which a check requests it."""
    needs_hashes: ClassVar[bool] = False
    """Whether it uses `Batch.hashes`, which are computed only if some collector does."""

    @classmethod
    @abstractmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""

    @abstractmethod
    def update(self, batch: Batch) -> None:
        """Add the rows of one batch. It is called many times, once for each batch."""

    def label(self, labelled: LabelledRows) -> None:  # noqa: B027
        """Add labels that came later, of rows that `update` got without them.

        Most collectors do nothing here.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add everything that `other` has collected; `other` does not change."""

    @abstractmethod
    def summary(self) -> Any:
        """The summary that checks read, such as a mapping from column name to its summary."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The canonical form: equal content gives equal bytes."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes` under the same spec.

        Raises ValueError for bytes of another version.
        """
