"""The contract of a collector: one mergeable part of a profile.

Refuses approximation by accident: what a merge gives must not depend on its order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from driftline.profiles.batch import Batch, LabelledRows
    from driftline.profiles.spec import ProfileSpec


class Collector(ABC):
    """A monoid over rows: `zero`, `update`, `merge`; and what can be read off it: `summary`.

    Laws, tested by `driftline.testing.assert_collector_contract`: merging is associative and
    commutative to the same bytes, zero changes nothing, and from_bytes(to_bytes(x)) is x.
    """

    name: ClassVar[str]
    """The name by which a check asks for it."""
    needs_hashes: ClassVar[bool] = False
    """Whether it looks at `Batch.hashes`, which are made only where a collector does."""

    @classmethod
    @abstractmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """The summary of no rows."""

    @abstractmethod
    def update(self, batch: Batch) -> None:
        """Take in the rows of one batch."""

    def label(self, labelled: LabelledRows) -> None:  # noqa: B027
        """Take in labels that came later, of rows that `update` has seen without them. Nothing, for
        most collectors.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take in everything that `other` has seen; `other` stays as it is."""

    @abstractmethod
    def summary(self) -> Any:
        """What checks see. For `numeric` and `categories`, a mapping from column name to its
        summary.
        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """A canonical form: equal content gives equal bytes."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """The inverse of `to_bytes` under the same spec. Raises ValueError for bytes of another
        version.
        """
