"""Layouts: places that tell the time of what lies there, so that only the newest of them need be listed.

Refuses to ask a store anything: the two ways of listing are handed in. What fits no layout is found by whole listings.
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
SPANS = (("%S", timedelta(seconds=1)), ("%M", timedelta(minutes=1)), ("%H", timedelta(hours=1)), ("%d", timedelta(days=1)))
"""Directives, finest first, and the span that a place names whose finest directive it is."""
DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
ORDER = "YmdHMS"
FEW = 48
"""Partitions that are listed one by one, where a store can't begin a listing in the middle; of more, their common folder."""
_TOKEN = re.compile(r"%[YmdHMS]|\{[a-z_][a-z0-9_]*\}|[?*]|[^%{}?*]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What a key says of the records in it."""

    start: datetime
    """UTC."""
    end: datetime
    parts: Mapping[str, str]


class Layout:
    """A pattern of folders: `%Y %m %d %H %M %S` are UTC, `{name}` is any text within a folder's name, as `*` is; `?` is any
    character."""

    def __init__(self, pattern: str) -> None:
        """`pattern` is one of `NAMED`, or a pattern. Raises ValueError with the mend."""
        self.pattern = NAMED.get(pattern, pattern).lstrip("/")
        tokens = _TOKEN.findall(self.pattern)
        directives = "".join(token[1] for token in tokens if token.startswith("%"))
        if "".join(tokens) != self.pattern:
            known = ", ".join(sorted(NAMED))
            raise ValueError(f"should be one of {known}, or a pattern of %Y %m %d %H %M %S, {{name}}, * and ?")
        if not directives.startswith("Ymd") or not ORDER.startswith(directives):
            raise ValueError("a layout names the time by %Y, %m and %d, then %H, %M and %S as far as it goes, each once")
        self._folders = [part for part in self.pattern.split("/") if part]
        self._timed = next(i for i, folder in enumerate(self._folders) if "%Y" in folder)
        """The first folder with a time in it."""
        self._last = max(i for i, folder in enumerate(self._folders) if "%" in folder)
        plain = all(not set("{?*") & set(folder) for folder in self._folders[self._timed : self._last + 1])
        self._sorted = plain
        """Whether names sort by time from there on."""
        self._span = next(span for directive, span in SPANS if directive in self.pattern)
        self._whole = re.compile("/?" + "/".join(map(_expression, self._folders)) + ("/" if self.pattern.endswith("/") else ""))
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
        return Place(start, start + self._span, {name: value for name, value in told.items() if name[0] != "_"})

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
        """The objects in folders whose span ended at or after `since`, and perhaps some older ones.

        `folders(prefix)` gives the names of the folders right below, each with its `/`; `objects(prefix, after)` all objects
        below whose keys come after `after`, or simply all. `begins` says that the store itself can begin at `after`.
        """
        yield from self._walk(prefix, 0, "", since - self._span, now, folders, objects, begins)

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
        elif _is_literal(self._folders[depth]):
            yield from self._walk(prefix, depth + 1, f"{below}{self._folders[depth]}/", since, now, folders, objects, begins)
        else:
            for folder in folders(at):
                name = folder.rstrip("/").rpartition("/")[2]
                if self._each[depth].fullmatch(name) and self._open(below + name, since):
                    yield from self._walk(prefix, depth + 1, f"{below}{name}/", since, now, folders, objects, begins)

    def _open(self, path: str, since: datetime) -> bool:
        """Whether something under `path` may be young enough, as far as it names a time."""
        names = path.split("/")
        told: dict[str, str] = {}
        for name, expression in zip(names, self._each, strict=False):
            found = expression.fullmatch(name)
            told |= {} if found is None else {k: v for k, v in found.groupdict().items() if k[0] == "_"}
        parts = [told[f"_{d}"] for d in ORDER if f"_{d}" in told]
        floor = [f"{since:%Y}", f"{since:%m}", f"{since:%d}", f"{since:%H}", f"{since:%M}", f"{since:%S}"]
        return not parts or parts >= floor[: len(parts)]

    def _timely(
        self, at: str, since: datetime, now: datetime, objects: Callable[[str, str], Iterable[T]], begins: bool
    ) -> Iterator[T]:
        pattern = "/".join(self._folders[self._timed : self._last + 1])
        step = max(self._span, timedelta(hours=1)) if "%H" in pattern else timedelta(days=1)
        first = _floor(since, step)
        count = int((now - first) / step) + 2
        if begins or count > FEW:
            yield from objects(at, at + first.strftime(pattern))
            return
        # A folder of minutes lies in one of hours: what is listed one by one is no finer than that.
        cut = pattern[: pattern.index("%H") + 2] if "%H" in pattern else pattern
        for number in range(count):
            yield from objects(at + (first + number * step).strftime(cut), "")


def _is_literal(folder: str) -> bool:
    return not any(sign in folder for sign in "%{?*")


def _floor(moment: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step


def _expression(folder: str) -> str:
    made = []
    for token in _TOKEN.findall(folder):
        if token in DIGITS:
            made.append(rf"(?P<_{token[1]}>\d{{{DIGITS[token]}}})")
        elif token.startswith("{"):
            made.append(rf"(?P<{token[1:-1]}>[^/]+?)")
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
