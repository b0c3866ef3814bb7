"""Layouts: places that tell the time of what lies there, so that only the newest of them need be
listed.

Refuses to ask a store anything: the two ways of listing are handed in. What fits no layout is found
by whole listings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator

T = TypeVar("T")

NAMED: Mapping[str, str] = {
    "sagemaker": "{endpoint}/{variant}/%Y/%m/%d/%H/",
    "azureml": "{endpoint}/{deployment}/{collection}/%Y/%m/%d/%H/",
    "vertex_batch": "prediction-{model}-%Y?%m?%dT%H?%M?%S*/",
    "firehose": "%Y/%m/%d/%H/",
    "hive": "dt=%Y-%m-%d/hour=%H/",
    "hive_daily": "dt=%Y-%m-%d/",
}
"""Layouts that have a name."""
SPANS = (
    ("%S", timedelta(seconds=1)),
    ("%M", timedelta(minutes=1)),
    ("%H", timedelta(hours=1)),
    ("%d", timedelta(days=1)),
)
"""Directives, finest first, and the span that a place names whose finest directive it is."""
DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
ORDER = "YmdHMS"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FEW = 48
"""Partitions that are listed one by one, where a store can't begin a listing in the middle; of
more, days, months or years.
"""
JOB = timedelta(days=1)
"""A folder that is named by a second is a job's: so long it may go on writing there."""
_TOKEN = re.compile(r"%[YmdHMS]|\{[a-z][a-z0-9_]*\}|[?*]|[^%{}?*]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What a key says of the records in it."""

    start: datetime
    """UTC."""
    end: datetime
    parts: Mapping[str, str]


class Layout:
    """A pattern of folders: `%Y %m %d %H %M %S` are UTC, `{name}` is any text within a folder's
    name, as `*` is; `?` is any character. Where it doesn't end in `/`, its last part is the
    beginning of the names of folders or files.
    """

    def __init__(self, pattern: str) -> None:
        """`pattern` is one of `NAMED`, or a pattern. Raises ValueError with the mend."""
        self.pattern = NAMED.get(pattern, pattern).lstrip("/")
        tokens = _TOKEN.findall(self.pattern)
        directives = "".join(token[1] for token in tokens if token.startswith("%"))
        if "".join(tokens) != self.pattern:
            known = ", ".join(sorted(NAMED))
            raise ValueError(
                f"should be one of {known}, or a pattern of %Y %m %d %H %M %S, {{name}}, * and ?"
            )
        if not directives.startswith("Ymd") or not ORDER.startswith(directives):
            raise ValueError(
                "a layout names the time by %Y, %m and %d, then %H, %M and %S as far as it goes, each once"
            )
        names = [token for token in tokens if token.startswith("{")]
        if len(set(names)) < len(names):
            raise ValueError("a layout has each name once")
        self._folders = [part for part in self.pattern.split("/") if part]
        self._timed = next(i for i, folder in enumerate(self._folders) if "%Y" in folder)
        """The first folder with a time in it."""
        self._last = max(i for i, folder in enumerate(self._folders) if "%" in folder)
        plain = all(
            not set("{?*") & set(folder) for folder in self._folders[self._timed : self._last + 1]
        )
        self._sorted = plain
        """Whether names sort by time from there on."""
        self._begun = not self.pattern.endswith("/")
        """Whether the last part is only the beginning of a name."""
        self._span = next(span for directive, span in SPANS if directive in self.pattern)
        self._slack = JOB if "%S" in self.pattern else timedelta(0)
        self._whole = re.compile(
            "/?"
            + "/".join(map(_expression, self._folders))
            + ("/" if self.pattern.endswith("/") else "")
        )
        self._each = [re.compile(_expression(folder)) for folder in self._folders]

    def place(self, key: str) -> Place | None:
        """What `key`, less the prefix, says; None for a key that doesn't fit."""
        found = self._whole.match(key)
        if found is None:
            return None
        told = found.groupdict()
        try:
            start = datetime(*(int(told[f"_{d}"]) for d in ORDER if told.get(f"_{d}")), tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError:
            return None
        return Place(
            start,
            start + self._span,
            {name: value for name, value in told.items() if name[0] != "_"},
        )

    def is_open(self, place: Place, since: datetime) -> bool:
        """Whether something may have been written to `place` at `since` or later."""
        return place.end + self._slack >= since

    def listed(
        self,
        prefix: str,
        since: datetime,
        now: datetime,
        folders: Callable[[str], Iterable[str]],
        objects: Callable[[str, str], Iterable[T]],
        *,
        begins: bool = True,
    ) -> Iterator[T]:
        """The objects in places that are open at `since`, and perhaps some older ones.

        `folders(prefix)` gives the names of the folders right below, each with its `/`;
        `objects(prefix, after)` all objects whose keys begin with `prefix` and come after `after`,
        or simply all that begin so. `begins` says that the store itself can begin at `after`.
        """
        yield from self._walk(
            prefix, 0, "", since - self._span - self._slack, now, folders, objects, begins
        )

    def _walk(
        self,
        prefix: str,
        depth: int,
        below: str,
        since: datetime,
        now: datetime,
        folders: Callable[[str], Iterable[str]],
        objects: Callable[[str, str], Iterable[T]],
        begins: bool,
    ) -> Iterator[T]:
        """`below` is what stands under `prefix` already."""
        at = prefix + below
        if depth > self._last:
            yield from objects(at, "")
        elif depth == self._timed and self._sorted:
            yield from self._timely(at, since, now, objects, begins)
        elif self._begun and depth == len(self._folders) - 1:
            yield from objects(at, "")
        elif _is_literal(self._folders[depth]):
            yield from self._walk(
                prefix,
                depth + 1,
                f"{below}{self._folders[depth]}/",
                since,
                now,
                folders,
                objects,
                begins,
            )
        else:
            for folder in folders(at):
                name = folder.rstrip("/").rpartition("/")[2]
                if self._each[depth].fullmatch(name) and self._open(below + name, since):
                    yield from self._walk(
                        prefix, depth + 1, f"{below}{name}/", since, now, folders, objects, begins
                    )

    def _open(self, path: str, since: datetime) -> bool:
        """Whether something under `path` may be young enough, as far as it names a time."""
        names = path.split("/")
        told: dict[str, str] = {}
        for name, expression in zip(names, self._each, strict=False):
            found = expression.fullmatch(name)
            told |= (
                {} if found is None else {k: v for k, v in found.groupdict().items() if k[0] == "_"}
            )
        parts = [told[f"_{d}"] for d in ORDER if f"_{d}" in told]
        floor = [
            f"{since:%Y}",
            f"{since:%m}",
            f"{since:%d}",
            f"{since:%H}",
            f"{since:%M}",
            f"{since:%S}",
        ]
        return not parts or parts >= floor[: len(parts)]

    def _timely(
        self,
        at: str,
        since: datetime,
        now: datetime,
        objects: Callable[[str, str], Iterable[T]],
        begins: bool,
    ) -> Iterator[T]:
        pattern = "/".join(self._folders[self._timed : self._last + 1])
        if begins:
            after = _floor(since, HOUR if "%H" in pattern else DAY).strftime(pattern)
            # A file may have that very name, and a listing begins behind it.
            yield from objects(at, at + (after[:-1] if self._begun else after))
            return
        for beginning in _beginnings(pattern, since, now):
            yield from objects(at + beginning, "")


def _beginnings(pattern: str, since: datetime, now: datetime) -> Iterable[str]:
    """Few beginnings of the names of all moments from `since` to `now`, as fine as can be but no
    finer than an hour.
    """
    for directive, step, most in (
        ("%H", HOUR, FEW),
        ("%d", DAY, FEW),
        ("%m", DAY, 31 * FEW),
        ("%Y", DAY, 366 * FEW),
    ):
        first = _floor(since, step)
        count = int((now - first) / step) + 2
        if directive in pattern and count <= most:
            cut = pattern[: pattern.index(directive) + 2]
            return dict.fromkeys((first + number * step).strftime(cut) for number in range(count))
    return ("",)


def _is_literal(folder: str) -> bool:
    return not any(sign in folder for sign in "%{?*")


def _floor(moment: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step


def _expression(folder: str) -> str:
    tokens = _TOKEN.findall(folder)
    made = []
    for number, token in enumerate(tokens):
        if token in DIGITS:
            made.append(rf"(?P<_{token[1]}>[0-9]{{{DIGITS[token]}}})")
        elif token.startswith("{"):
            made.append(rf"(?P<{token[1:-1]}>[^/]+{'?' if number + 1 < len(tokens) else ''})")
        elif token in "?*":
            made.append("[^/]" if token == "?" else "[^/]*")
        else:
            made.append(re.escape(token))
    return "".join(made)


def _checked(pattern: str) -> str:
    Layout(pattern)
    return pattern


LayoutPattern = Annotated[str, AfterValidator(_checked)]
"""The type of a setting that holds the pattern of a layout."""
