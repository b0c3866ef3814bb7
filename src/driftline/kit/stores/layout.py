"""Layouts: keys that contain the time of their records, so that only the newest are listed.

Does not call a store: the caller passes the two ways of listing. Keys that do not fit the layout
are found by whole listings only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator

from driftline.types.times import DAY, HOUR

T = TypeVar("T")

LAYOUTS: Mapping[str, str] = {
    "sagemaker": "{endpoint}/{variant}/%Y/%m/%d/%H/",
    "azureml": "{endpoint}/{deployment}/{collection}/%Y/%m/%d/%H/",
    "vertex_batch": "prediction-{model}-%Y?%m?%dT%H?%M?%S*/",
    "firehose": "%Y/%m/%d/%H/",
    "hive": "dt=%Y-%m-%d/hour=%H/",
    "hive_daily": "dt=%Y-%m-%d/",
}
"""The layouts that have a name, and their patterns."""
SPANS = (
    ("%S", timedelta(seconds=1)),
    ("%M", timedelta(minutes=1)),
    ("%H", timedelta(hours=1)),
    ("%d", timedelta(days=1)),
)
"""Directives, finest first, and the span of a partition whose finest directive it is."""
DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
ORDER = "YmdHMS"
MAX_LISTINGS = 48
"""Most listings for one pass, for stores that can't start a listing in the middle.

Where there are more hours than this, whole days, months or years are listed.
"""
JOB = timedelta(days=1)
"""How long a job may write to its folder. A folder named by a second belongs to a job."""
_TOKEN = re.compile(r"%[YmdHMS]|\{[a-z][a-z0-9_]*\}|[?*]|[^%{}?*]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What the layout reads from a key: the time span of the records, and the named parts."""

    start: datetime
    """UTC; `end` is exclusive."""
    end: datetime
    parts: Mapping[str, str]


class Layout:
    """A pattern of folder names that contain a time.

    `%Y %m %d %H %M %S` are UTC. `{name}` and `*` stand for any text within one folder name, `?`
    for one character. Where the pattern doesn't end in `/`, its last part is the start of the names
    of folders or files.
    """

    def __init__(self, pattern: str) -> None:
        """Parse `pattern`, or use the layout of that name. Raises ValueError."""
        self.pattern = LAYOUTS.get(pattern, pattern).lstrip("/")
        tokens = _TOKEN.findall(self.pattern)
        directives = "".join(token[1] for token in tokens if token.startswith("%"))
        if "".join(tokens) != self.pattern:
            names = ", ".join(sorted(LAYOUTS))
            raise ValueError(
                f"should be one of {names}, or a pattern of %Y %m %d %H %M %S, {{name}}, * and ?"
            )
        if not directives.startswith("Ymd") or not ORDER.startswith(directives):
            raise ValueError(
                "a layout contains %Y, %m and %d in this order, then %H, %M and %S as far as "
                "needed, each once"
            )
        fields = [token for token in tokens if token.startswith("{")]
        if len(set(fields)) < len(fields):
            raise ValueError("a layout may contain each {name} only once")
        self._folders = [part for part in self.pattern.split("/") if part]
        self._first_timed = next(i for i, folder in enumerate(self._folders) if "%Y" in folder)
        """Index of the first folder that contains a time."""
        self._last_timed = max(i for i, folder in enumerate(self._folders) if "%" in folder)
        time_folders = self._folders[self._first_timed : self._last_timed + 1]
        self._sorted = all(not set("{?*") & set(folder) for folder in time_folders)
        """Whether the names sort by time from there on."""
        self._ends_in_prefix = not self.pattern.endswith("/")
        """Whether the last part is only the start of a name."""
        self._span = next(span for directive, span in SPANS if directive in self.pattern)
        self._slack = JOB if "%S" in self.pattern else timedelta(0)
        self._expression = re.compile(
            "/?"
            + "/".join(map(_expression, self._folders))
            + ("/" if self.pattern.endswith("/") else "")
        )
        self._folder_expressions = [re.compile(_expression(folder)) for folder in self._folders]

    def place(self, key: str) -> Place | None:
        """Return what `key` without the prefix contains; None for a key that doesn't fit."""
        match = self._expression.match(key)
        if match is None:
            return None
        groups = match.groupdict()
        digits = (groups[f"_{directive}"] for directive in ORDER if groups.get(f"_{directive}"))
        try:
            start = datetime(*map(int, digits), tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError:
            return None
        return Place(
            start,
            start + self._span,
            {name: value for name, value in groups.items() if name[0] != "_"},
        )

    def is_open(self, place: Place, since: datetime) -> bool:
        """Return whether records may have been written to `place` at `since` or later."""
        return place.end + self._slack >= since

    def list_open(
        self,
        prefix: str,
        since: datetime,
        now: datetime,
        folders: Callable[[str], Iterable[str]],
        objects: Callable[[str, str], Iterable[T]],
        *,
        can_start_after: bool = True,
    ) -> Iterator[T]:
        """Return the objects in places that are open at `since`, and perhaps some older objects.

        `folders(prefix)` returns the folders directly below `prefix`, each with its `/`.
        `objects(prefix, after)` returns the objects whose keys start with `prefix` and come after
        `after`, or all that start with `prefix`. `can_start_after` says whether the store can start
        a listing at `after`.
        """
        walk = _Walk(
            prefix=prefix,
            since=since - self._span - self._slack,
            now=now,
            folders=folders,
            objects=objects,
            can_start_after=can_start_after,
        )
        yield from self._walk(walk, 0, "")

    def _walk(self, walk: _Walk[T], depth: int, path: str) -> Iterator[T]:
        """List what lies below `path`, which is `depth` folders below the prefix."""
        at = walk.prefix + path
        if depth > self._last_timed:
            yield from walk.objects(at, "")
        elif depth == self._first_timed and self._sorted:
            yield from self._list_sorted(walk, at)
        elif self._ends_in_prefix and depth == len(self._folders) - 1:
            yield from walk.objects(at, "")
        elif _is_literal(self._folders[depth]):
            yield from self._walk(walk, depth + 1, f"{path}{self._folders[depth]}/")
        else:
            for folder in walk.folders(at):
                # The prefix may end within the name.
                name = folder.removeprefix(at).rstrip("/").rpartition("/")[2]
                fits = self._folder_expressions[depth].fullmatch(name)
                if fits and self._may_be_open(path + name, walk.since):
                    yield from self._walk(walk, depth + 1, f"{path}{name}/")

    def _may_be_open(self, path: str, since: datetime) -> bool:
        """Return whether records under `path` may be as young as `since`, by the time in `path`."""
        groups: dict[str, str] = {}
        for name, expression in zip(path.split("/"), self._folder_expressions, strict=False):
            match = expression.fullmatch(name)
            groups |= match.groupdict() if match else {}
        times = [groups[f"_{directive}"] for directive in ORDER if f"_{directive}" in groups]
        floor = since.strftime("%Y %m %d %H %M %S").split()
        return not times or times >= floor[: len(times)]

    def _list_sorted(self, walk: _Walk[T], at: str) -> Iterator[T]:
        pattern = "/".join(self._folders[self._first_timed : self._last_timed + 1])
        if walk.can_start_after:
            after = _floor(walk.since, HOUR if "%H" in pattern else DAY).strftime(pattern)
            # A listing starts behind `after`, and a file may have exactly that name.
            yield from walk.objects(at, at + (after[:-1] if self._ends_in_prefix else after))
            return
        for beginning in _beginnings(pattern, walk.since, walk.now):
            yield from walk.objects(at + beginning, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk(Generic[T]):
    """One listing of a store by a layout."""

    prefix: str
    since: datetime
    now: datetime
    folders: Callable[[str], Iterable[str]]
    objects: Callable[[str, str], Iterable[T]]
    can_start_after: bool


def _beginnings(pattern: str, since: datetime, now: datetime) -> Iterable[str]:
    """Return the starts of all names from `since` to `now`, of hours or longer spans."""
    for directive, step, most in (
        ("%H", HOUR, MAX_LISTINGS),
        ("%d", DAY, MAX_LISTINGS),
        ("%m", DAY, 31 * MAX_LISTINGS),
        ("%Y", DAY, 366 * MAX_LISTINGS),
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
    parts = []
    for number, token in enumerate(tokens):
        if token in DIGITS:
            parts.append(rf"(?P<_{token[1]}>[0-9]{{{DIGITS[token]}}})")
        elif token.startswith("{"):
            parts.append(rf"(?P<{token[1:-1]}>[^/]+{'?' if number + 1 < len(tokens) else ''})")
        elif token in "?*":
            parts.append("[^/]" if token == "?" else "[^/]*")
        else:
            parts.append(re.escape(token))
    return "".join(parts)


def _check_layout(pattern: str) -> str:
    Layout(pattern)
    return pattern


LayoutPattern = Annotated[str, AfterValidator(_check_layout)]
"""The type of a setting that holds the pattern of a layout."""
