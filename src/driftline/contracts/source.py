"""The contract of a source: list log objects and open them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from driftline.contracts.format import DecodeContext, FormatRef
from driftline.contracts.plugin import Plugin
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class DiscoverContext:
    """What a source may use to list less."""

    now: datetime
    since: datetime | None = None
    """Objects whose place names a span that ended before this may be left out; None asks for all
    there are.
    """
    skipped: Callable[[str, str], None] = lambda uri, reason: None
    """Call with a URI and a reason for what is listed on purpose as no data: markers, manifests,
    temporary files.
    """


class Source(Plugin, ABC):
    """Lists log objects and opens them. A table source overrides `batches` instead of `open`."""

    schemes: ClassVar[frozenset[str]] = frozenset()
    """URL schemes of the addresses that `driftline init` gives to this source, such as `s3`; the
    empty one stands for paths and for all other addresses.
    """

    format: str | FormatRef | None = None
    """How the records are written: a format's name, or its `type` and `options`. Guessed from the
    file name when absent.
    """

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`, such as `s3://BUCKET/PREFIX`."""
        raise NotImplementedError(f"{cls.type} has schemes but no options_for()")

    @property
    def whole_every(self) -> timedelta | None:
        """How often everything must be listed. In between `ctx.since` is set, and less may be
        given; None: every time.
        """
        return None

    @abstractmethod
    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Everything that is there, in any order; a page that fails raises and nothing of the pass
        counts.

        Raises SourceError when the store can't be listed.
        """

    def committed(self) -> None:
        """All that the last `discover` gave has been dealt with and remembered: notifications of it
        may be thrown away.
        """

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The stored bytes of exactly this version from byte `start` on.

        Raises ObjectChanged when the store holds another version now, ObjectGone, Unreadable or
        SourceError.
        """
        raise NotImplementedError(f"{self.type} has neither open() nor batches()")

    def refer(self, uri: str) -> BinaryIO:
        """The stored bytes of an object that a record refers to: a whole address, or a path beside
        the records.

        Raises ObjectGone, Unreadable (also for what lies outside of what this source may read) or
        SourceError.
        """
        raise Unreadable(f"{self.type} follows no references")

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch] | None:
        """For tables: the records themselves. None says that `open` and a format do the work."""
        return None
