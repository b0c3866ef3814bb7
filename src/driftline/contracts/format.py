"""The contract of a format: decode a stream of bytes into record batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Protocol, Self

from driftline.contracts.plugin import Plugin
from driftline.types.model import Field
from driftline.types.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


class FormatRef(Settings):
    """A format and its settings, where its name alone is not enough."""

    type: str
    """The format's name."""
    options: dict[str, Any] = {}
    """The format's settings."""


class DecodeContext(Protocol):
    """The inputs of a format for one object, and the callbacks that count its records."""

    @property
    def uri(self) -> str:
        """The URI of the object."""
        ...

    @property
    def fields(self) -> tuple[Field, ...] | None:
        """The columns to return; None asks for all columns, nested names joined by dots."""
        ...

    @property
    def start(self) -> int:
        """The place of the stream's first byte in the object, in bytes.

        It is more than 0 where reading goes on after progress that was reported before.
        """
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the stream ends where the object ends.

        If not, a last record without its end is left for later.
        """
        ...

    def reject(
        self, position: int, reason: str, record: bytes | str = b"", example: str = ""
    ) -> None:
        """Count one record that can't be read.

        `position` is its ordinal in the stream; `record` holds its first bytes as a sample.
        Records with the same `reason` count together: a value that differs between them, such as
        a file name, belongs into `example`, which is quoted for the first one.
        """
        ...

    def report_progress(self, offset: int) -> None:
        """Report that whole records reach to byte `offset` of the stream.

        Without such reports an object is only read as a whole.
        """
        ...

    @property
    def parts(self) -> Mapping[str, str]:
        """What the object's path says about its records, see `LogObject.parts`."""
        ...

    def open_reference(self, uri: str) -> BinaryIO:
        """Open another object that a record refers to; raises as `Source.open_reference` does."""
        ...


class Format(Plugin, ABC):
    """Decodes a stream of bytes into record batches."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings (without compression) by which the format is guessed, such as `.csv`."""
    marks: ClassVar[tuple[frozenset[str], ...]] = ()
    """Sets of field names: a record that has all names of one set is of this format."""
    magic: ClassVar[bytes] = b""
    """The first bytes of each of its files, by which the format is recognised."""
    any_json: ClassVar[bool] = False
    """Whether it reads JSON records of any shape: the format of JSON without `marks`."""
    folders: ClassVar[tuple[str, ...]] = ()
    """Names of the folders before the time, as the service that writes the format makes them.

    A layout of fewer folders has the last of these names.
    """
    compressed: ClassVar[bool] = False
    """Whether the format compresses by itself, such as Parquet.

    The host then passes the stored bytes on as they are.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """Return the same format for records whose values may lack names.

        `names` are those of the inputs in the reference, in order.
        """
        return self

    def no_data(self, uri: str) -> str:
        """Return why an object is no data of the format, such as a manifest; empty when it is."""
        return ""

    @classmethod
    def suggest_options(cls, head: bytes, uris: Sequence[str]) -> dict[str, Any]:
        """Return the options that read some objects as they are meant; a guess for `init`.

        `head` is the beginning of the newest object, unpacked; `uris` are those of all objects.
        """
        return {}

    @classmethod
    def holds_statistics(cls, document: Any, content: bytes) -> bool:
        """Whether a file holds the statistics of another tool's baseline in this format.

        `document` is the file's first JSON document, None where it is no JSON.
        """
        return False

    @abstractmethod
    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Yield batches whose columns have the names of `ctx.fields`.

        A field that a record lacks is null. Values may have any Arrow type: the host casts them to
        the canonical ones and counts those that do not fit. Raises Unreadable when nothing more of
        this object can be read; the batches before that count.
        """
