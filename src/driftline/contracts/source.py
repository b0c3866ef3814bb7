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
    """Objects may be left out whose path names a time span that ended before this moment.

    None asks for all objects.
    """
    skipped: Callable[[str, str], None] = lambda uri, reason: None
    """Call it with a URI and a reason for each listed object that is no data on purpose.

    Such as markers, manifests and temporary files.
    """


class Source(Plugin, ABC):
    """Lists log objects and opens them. A table source overrides `batches` instead of `open`."""

    schemes: ClassVar[frozenset[str]] = frozenset()
    """URL schemes of the addresses that `driftline init` gives to this source, such as `s3`.

    The empty scheme stands for paths and for all other addresses.
    """

    format: str | FormatRef | None = None
    """How the records are written: a format's name, or its `type` and `options`.

    Guessed from the file name when absent.
    """

    lists_folders: ClassVar[bool] = False
    """Whether `list_folders` is there: a pattern of model names needs it."""

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """Return the options for an address of one of `schemes`, such as `s3://BUCKET/PREFIX`."""
        raise NotImplementedError(f"{cls.type} has schemes but no options_for()")

    @property
    def full_listing_interval(self) -> timedelta | None:
        """How often everything must be listed; None: every time.

        In between `ctx.since` is set, and less may be listed.
        """
        return None

    @abstractmethod
    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Yield every object of the source, in any order.

        If it raises, nothing of this pass counts. Raises SourceError when the store can't be
        listed.
        """

    def list_folders(self) -> Iterator[str]:
        """Yield the names of the folders directly below the place of this source, in any order.

        Raises SourceError when the store can't be listed.
        """
        raise NotImplementedError(f"{self.type} lists no folders")

    def confirm_listing(self) -> None:
        """Note that all objects of the last `discover` are processed and stored.

        The source may now delete the notifications that announced them.
        """

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Open the stored bytes of exactly this version from byte `start` on.

        Raises ObjectChanged when the store holds another version now, ObjectGone, Unreadable or
        SourceError.
        """
        raise NotImplementedError(f"{self.type} has neither open() nor batches()")

    def open_reference(self, uri: str) -> BinaryIO:
        """Open an object that a record refers to.

        `uri` is a whole address, or a path relative to the records. Raises
        ObjectGone, SourceError, or Unreadable, also for an address that this source may not read.
        """
        raise Unreadable(f"{self.type} follows no references")

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch] | None:
        """Return the records of a table; None if `open` and a format read the object."""
        return None
