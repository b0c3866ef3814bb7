"""Reads files on this machine: one file, a folder, or a glob.

Does not read beyond the listed size, and does not read files that were replaced since.
"""

from __future__ import annotations

import glob
import io
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ClassVar, cast
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

WRITTEN_ONCE = (".parquet", ".pq", ".gz", ".bz2", ".zst", ".zstd")
"""Endings of files that never grow: a larger file of this name is a new file."""
NO_DATA = (".crc", ".tmp", ".swp", "~")


class Local(Source):
    """Reads files; of a growing file the whole lines, as they are written."""

    type = "local"
    lists_folders: ClassVar = True
    schemes: ClassVar = frozenset({""})

    path: str
    """A file, a folder (read with all its subfolders) or a glob; `**` matches any folders.

    A relative path starts at the folder of the configuration file. Links that lead out of the
    folder are not followed.
    """
    grows: bool = True
    """Whether text files may be appended to.

    If so, only the new lines are read; if not, a changed file is read again as a whole, and its
    rows replace those counted before.
    """
    layout: LayoutPattern | None = None
    """How folder names contain the time: the name of a layout, or a pattern.

    Layouts are `sagemaker`, `azureml`, `hive` and others; a pattern is for example
    `{region}/%Y/%m/%d/`. It begins at the folder of `path`, or at the last folder before the first
    `*` of a glob. With a layout only the newest folders are listed, and everything once a day; a
    glob is always listed whole.
    """

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`."""
        return {"path": address}

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return a day with a layout; without one, each pass lists everything."""
        return None if self.layout is None else timedelta(days=1)

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the files in order of their names: all, or those in the newest folders."""
        layout = None if self.layout is None else Layout(self.layout)
        is_glob = glob.has_magic(self._root()) and not os.path.lexists(self._root())
        root = (self._folder() if is_glob else self._root()).rstrip("/") + "/"
        folder = os.path.realpath(self._folder())
        inner_folders: dict[str, bool] = {}

        def leads_out(path: str) -> bool:
            """Whether a link in the path leads out of the folder of this source."""
            place = os.path.dirname(path)
            if place not in inner_folders:
                inner_folders[place] = _is_within(os.path.realpath(place), folder)
            return not inner_folders[place] or (
                os.path.islink(path) and not _is_within(os.path.realpath(path), folder)
            )

        whole = layout is None or ctx.since is None or is_glob
        paths = self._paths() if whole else self._newest_paths(layout, root, ctx)
        for path, reason in paths:
            if reason:
                ctx.skipped(_uri(path), reason)
                continue
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from None
            if not stat.S_ISREG(status.st_mode):
                ctx.skipped(_uri(path), "not a regular file")
                continue
            if path != self._root() and leads_out(path):
                ctx.skipped(_uri(path), f"a link that leads out of {folder}")
                continue
            mtime = datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
            place = None if layout is None else layout.place(path.removeprefix(root))
            yield LogObject(
                uri=_uri(path),
                version=_version(status),
                size=status.st_size,
                modified=mtime,
                grows=self._may_grow(path),
                lineage=f"{status.st_ino:x}",
                partition=None if place is None else place.start,
                parts={} if place is None else place.parts,
            )

    def list_folders(self) -> Iterator[str]:
        """Yield the names of the folders in that of `path`; hidden ones are left out."""
        root = self._root()
        try:
            with os.scandir(root) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except OSError as error:
            raise SourceError(f"{root}: {error.strerror}") from None
        yield from (name for name in names if not name.startswith("."))

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Return the file from byte `start` to its listed size."""
        path = os.fsdecode(unquote_to_bytes(obj.uri.removeprefix("file://")))
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115  the returned stream closes it
        except FileNotFoundError:
            raise ObjectGone(f"{path}: gone since it was listed") from None
        except PermissionError:
            raise SourceError(
                f"{path}: permission denied; the agent's user needs the right to read it"
            ) from None
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror}") from None
        status = os.fstat(file.fileno())
        is_same_file = obj.lineage == f"{status.st_ino:x}"
        has_grown = obj.grows and status.st_size > obj.size and is_same_file
        if _version(status) != obj.version and not has_grown:
            file.close()
            raise ObjectChanged(f"{path}: changed since it was listed")
        return cast(BinaryIO, io.BufferedReader(_Bounded(file, start, obj.size), 1 << 18))

    def open_reference(self, uri: str) -> BinaryIO:
        """Return a file in the folder of this source, by its `file://` address or relative path."""
        if "://" in uri and not uri.startswith("file://"):
            raise Unreadable(f"{uri}: is no file on this machine")
        root = os.path.realpath(self._folder())
        name = uri
        if uri.startswith("file://"):
            name = os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
        try:
            path = os.path.realpath(os.path.join(root, name))
            if os.path.commonpath((root, path)) != root:
                raise Unreadable(
                    f"{uri}: lies outside of {root}, which is all that this source may read"
                )
            # Do not wait for a pipe, and do not follow a link that replaced the file meanwhile.
            file = io.FileIO(
                os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            )
        except FileNotFoundError:
            raise ObjectGone(f"{uri}: there is no such file") from None
        except PermissionError:
            raise SourceError(
                f"{path}: permission denied; the agent's user needs the right to read it"
            ) from None
        except (OSError, ValueError) as error:
            raise Unreadable(f"{uri}: {error}") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise Unreadable(f"{uri}: is no file")
        return cast(BinaryIO, io.BufferedReader(file, 1 << 18))

    def probe(self) -> str:
        """Return the number of files."""
        count = skip_count = 0

        def skip(uri: str, reason: str) -> None:
            nonlocal skip_count
            skip_count += 1

        for _ in self.discover(DiscoverContext(now=datetime.fromtimestamp(0, UTC), skipped=skip)):
            count += 1
        return f"{count} files under {self.path}" + (
            f", {skip_count} left out" if skip_count else ""
        )

    def _root(self) -> str:
        base = self._context.config_folder if self._context is not None else ""
        return os.path.abspath(os.path.join(base, os.path.expanduser(self.path)))

    def _folder(self) -> str:
        """Return the folder that contains everything this source may read."""
        path = self._root()
        if os.path.isdir(path):
            return path
        is_glob = glob.has_magic(path) and not os.path.lexists(path)
        return path[: _glob_start(path)] if is_glob else os.path.dirname(path)

    def _newest_paths(
        self, layout: Layout | None, root: str, ctx: DiscoverContext
    ) -> Iterator[tuple[str, str]]:
        assert layout is not None
        assert ctx.since is not None

        def folders(path: str) -> list[str]:
            try:
                with os.scandir(path) as entries:
                    names = [entry.name for entry in entries if entry.is_dir()]
                return sorted(names, key=os.fsencode)
            except (FileNotFoundError, NotADirectoryError):
                return []
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from None

        def objects(path: str, after: str) -> Iterator[tuple[str, str]]:
            if os.path.isdir(path):
                yield from _walk(path)
                return
            folder, beginning = os.path.split(path)
            names = os.listdir(folder) if os.path.isdir(folder) else []
            for name in sorted(names, key=os.fsencode):
                if name.startswith(beginning):
                    entry = os.path.join(folder, name)
                    yield from _walk(entry) if os.path.isdir(entry) else [(entry, _no_data(name))]

        yield from layout.list_open(
            root, ctx.since, ctx.now, folders, objects, can_start_after=False
        )

    def _paths(self) -> Iterator[tuple[str, str]]:
        """Return the paths, each with the reason why it is no data, or an empty reason."""
        path = self._root()
        if os.path.isdir(path):
            yield from _walk(path)
        elif os.path.lexists(path):
            yield path, ""
        elif glob.has_magic(path):
            start = _glob_start(path)
            files = {file for file in glob.iglob(path, recursive=True) if not os.path.isdir(file)}
            for file in sorted(files, key=os.fsencode):
                reasons = map(_no_data, file[start:].split("/"))
                yield file, next(filter(None, reasons), "")
        else:
            raise SourceError(f"{path}: no such file or folder")

    def _may_grow(self, path: str) -> bool:
        return self.grows and not path.lower().endswith(WRITTEN_ONCE)


class _Bounded(io.RawIOBase):
    """A file from the byte where reading continues to the listed size."""

    def __init__(self, file: io.FileIO, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, max(end, start)
        file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._end - self._file.tell()
        return self._file.readinto(memoryview(buffer)[:remaining]) if remaining > 0 else 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._start, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}[
            whence
        ]
        return self._file.seek(max(base + offset, self._start)) - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


def _is_within(path: str, folder: str) -> bool:
    return os.path.commonpath((folder, path)) == folder


def _glob_start(path: str) -> int:
    """Return the position of the first path component that is a pattern."""
    return path.rfind("/", 0, re.search(r"[*?[]", path).start()) + 1  # type: ignore[union-attr]


def _walk(folder: str) -> Iterator[tuple[str, str]]:
    def fail(error: OSError) -> None:
        raise SourceError(f"{error.filename}: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=fail):
        for name in [name for name in folders if _no_data(name)]:
            folders.remove(name)
            yield os.path.join(place, name), _no_data(name)
        folders.sort(key=os.fsencode)
        for name in sorted(files, key=os.fsencode):
            yield os.path.join(place, name), _no_data(name)


def _no_data(name: str) -> str:
    if name.startswith((".", "_SUCCESS")):
        return "a marker or hidden"
    if name == "_temporary" or name.lower().endswith(NO_DATA):
        return "temporary, or a checksum"
    return ""


def _uri(path: str) -> str:
    return "file://" + quote_from_bytes(os.fsencode(path), safe="/")


def _version(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_size}-{status.st_mtime_ns}"


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [Local]
