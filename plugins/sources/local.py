"""Files on this machine: one, a folder of them, or a glob.

Refuses to read past the size that was listed, and files that are no longer what was listed.
"""

from __future__ import annotations

import glob
import io
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from driftline import (
    DiscoverContext,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Source,
    SourceError,
    Unreadable,
    hookimpl,
)
from driftline.kit.stores.layout import Layout, LayoutPattern

SEALED = (".parquet", ".pq", ".gz", ".bz2", ".zst", ".zstd")
"""Files that are written once: a larger one is another one."""
NO_DATA = (".crc", ".tmp", ".swp", "~")


class Local(Source):
    """Files, with whole lines of growing ones read as they come."""

    type = "local"

    path: str
    """A file, a folder (with all folders in it) or a glob; `**` stands for any folders.

    A relative one starts at the folder of the configuration.
    """
    grows: bool = True
    """Whether text files may be appended to: then only what is new is read. Without it a changed
    file is read again.
    """
    layout: LayoutPattern | None = None
    """How the folders under `path` name the time, so that only the newest are looked into:
    `sagemaker`, `azureml`, `hive` and others, or a pattern such as `{region}/%Y/%m/%d/`. `path` is
    then a folder.
    """

    @property
    def whole_every(self) -> timedelta | None:
        """A day, where the folders name the time."""
        return None if self.layout is None else timedelta(days=1)

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Every file, in the order of names; with `ctx.since` and a layout, those in the newest
        folders.
        """
        layout = None if self.layout is None else Layout(self.layout)
        root = self._root() + "/"
        for path, reason in (
            self._paths()
            if layout is None or ctx.since is None
            else self._newest(layout, root, ctx)
        ):
            if reason:
                ctx.skipped(_uri(path), reason)
                continue
            try:
                found = os.stat(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from None
            if not stat.S_ISREG(found.st_mode):
                ctx.skipped(_uri(path), "not a regular file")
                continue
            modified = datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC)
            place = None if layout is None else layout.place(path.removeprefix(root))
            yield LogObject(
                _uri(path),
                _version(found),
                found.st_size,
                modified,
                self._may_grow(path),
                f"{found.st_ino:x}",
                None if place is None else place.start,
                {} if place is None else place.parts,
            )

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The file from `start` to the size that was listed."""
        path = os.fsdecode(unquote_to_bytes(obj.uri.removeprefix("file://")))
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115  closed by the stream that is returned
        except FileNotFoundError:
            raise ObjectGone(f"{path}: gone since it was listed") from None
        except PermissionError:
            raise SourceError(
                f"{path}: may not be read; the agent's user needs the right to read it"
            ) from None
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror}") from None
        now = os.fstat(file.fileno())
        same = _version(now) == obj.version
        grown = obj.grows and now.st_size > obj.size and obj.lineage == f"{now.st_ino:x}"
        if not same and not grown:
            file.close()
            raise ObjectChanged(f"{path}: changed since it was listed")
        return cast(BinaryIO, io.BufferedReader(_Bounded(file, start, obj.size), 1 << 18))

    def refer(self, uri: str) -> BinaryIO:
        """A file under the folder of this source, by its `file://` address or by its path from
        there.
        """
        if "://" in uri and not uri.startswith("file://"):
            raise Unreadable(f"{uri}: is no file on this machine")
        root = os.path.realpath(self._folder())
        named = (
            os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
            if uri.startswith("file://")
            else uri
        )
        try:
            path = os.path.realpath(os.path.join(root, named))
            if os.path.commonpath((root, path)) != root:
                raise Unreadable(
                    f"{uri}: lies outside of {root}, which is all that this source may read"
                )
            # What is no file, such as a pipe, must not be waited for; and what was a folder a
            # moment ago may be a link now.
            file = io.FileIO(
                os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            )
        except FileNotFoundError:
            raise ObjectGone(f"{uri}: there is no such file") from None
        except PermissionError:
            raise SourceError(
                f"{path}: may not be read; the agent's user needs the right to read it"
            ) from None
        except (OSError, ValueError) as error:
            raise Unreadable(f"{uri}: {error}") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise Unreadable(f"{uri}: is no file")
        return cast(BinaryIO, io.BufferedReader(file, 1 << 18))

    def probe(self) -> str:
        """Say how many files there are."""
        seen = skipped = 0

        def skip(uri: str, reason: str) -> None:
            nonlocal skipped
            skipped += 1

        for _ in self.discover(DiscoverContext(now=datetime.fromtimestamp(0, UTC), skipped=skip)):
            seen += 1
        return f"{seen} files under {self.path}" + (f", {skipped} left out" if skipped else "")

    def _root(self) -> str:
        base = self._context.base if self._context is not None else ""
        return os.path.abspath(os.path.join(base, os.path.expanduser(self.path)))

    def _folder(self) -> str:
        """The folder in which all that is read lies."""
        path = self._root()
        if os.path.isdir(path):
            return path
        return (
            path[: _fixed(path)]
            if glob.has_magic(path) and not os.path.lexists(path)
            else os.path.dirname(path)
        )

    def _newest(self, layout: Layout, root: str, ctx: DiscoverContext) -> Iterator[tuple[str, str]]:
        assert ctx.since is not None

        def folders(path: str) -> list[str]:
            try:
                with os.scandir(path) as found:
                    return sorted(
                        (entry.name for entry in found if entry.is_dir()), key=os.fsencode
                    )
            except (FileNotFoundError, NotADirectoryError):
                return []
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from None

        def objects(path: str, after: str) -> Iterator[tuple[str, str]]:
            if os.path.isdir(path):
                yield from _walk(path)
                return
            folder, beginning = os.path.split(path)
            for name in (
                sorted(os.listdir(folder), key=os.fsencode) if os.path.isdir(folder) else ()
            ):
                if name.startswith(beginning):
                    found = os.path.join(folder, name)
                    yield from _walk(found) if os.path.isdir(found) else [(found, _no_data(name))]

        yield from layout.listed(root, ctx.since, ctx.now, folders, objects, begins=False)

    def _paths(self) -> Iterator[tuple[str, str]]:
        """Paths, each with the reason why it is no data, if it is none."""
        path = self._root()
        if os.path.isdir(path):
            yield from _walk(path)
        elif os.path.lexists(path):
            yield path, ""
        elif glob.has_magic(path):
            fixed = _fixed(path)
            for found in sorted(
                {found for found in glob.iglob(path, recursive=True) if not os.path.isdir(found)},
                key=os.fsencode,
            ):
                yield (
                    found,
                    next(
                        (reason for part in found[fixed:].split("/") if (reason := _no_data(part))),
                        "",
                    ),
                )
        else:
            raise SourceError(f"{path}: no such file or folder")

    def _may_grow(self, path: str) -> bool:
        return self.grows and not path.lower().endswith(SEALED)


class _Bounded(io.RawIOBase):
    """A file that ends where it ended when it was listed, and begins where reading goes on."""

    def __init__(self, file: io.FileIO, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, max(end, start)
        file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - self._file.tell()
        return self._file.readinto(memoryview(buffer)[: max(left, 0)]) if left > 0 else 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._start, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}[
            whence
        ]
        return self._file.seek(max(base + offset, self._start)) - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


def _fixed(path: str) -> int:
    """Where the part of a glob begins that stands for many names."""
    return path.rfind("/", 0, re.search(r"[*?[]", path).start()) + 1  # type: ignore[union-attr]


def _walk(folder: str) -> Iterator[tuple[str, str]]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"{error.filename}: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=refuse):
        for name in [name for name in folders if _no_data(name)]:
            folders.remove(name)
            yield os.path.join(place, name), _no_data(name)
        folders.sort(key=os.fsencode)
        yield from (
            (os.path.join(place, name), _no_data(name)) for name in sorted(files, key=os.fsencode)
        )


def _no_data(name: str) -> str:
    if name.startswith((".", "_SUCCESS")):
        return "a marker or hidden"
    if name == "_temporary" or name.lower().endswith(NO_DATA):
        return "temporary, or a checksum"
    return ""


def _uri(path: str) -> str:
    return "file://" + quote_from_bytes(os.fsencode(path), safe="/")


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_size}-{found.st_mtime_ns}"


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [Local]
