"""Finds files of training data and of labels beside a log on disk, by their names."""

from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r"(?i)(train|training|reference|ref|baseline)([_.-].*)?")
"""Stems of files that hold training data."""
LABELS_NAME = re.compile(
    r"(?i)(labels?|ground[_-]?truths?|truth|outcomes?|actuals?|targets?)([_.-].*)?"
)
"""Stems of files that hold labels that came later."""
SUFFIXES = (".parquet", ".csv", ".jsonl", ".json", ".avro")
"""Endings of files of rows, the best first; they may be compressed."""
COMPRESSED = (".gz", ".bz2", ".zst")


def find_training_file(where: str, base: Path) -> str | None:
    """Return the path of a training file in the folder of `where`, a file or a folder of a log.

    Both paths are relative to `base`. None for an address of another kind, or without such a file.
    """
    return _find(where, base, NAME)


def find_label_file(where: str, base: Path) -> str | None:
    """Return the path of a file of labels in the folder of `where`, a file of a log; else None."""
    return _find(where, base, LABELS_NAME) if (base / where).is_file() else None


def _find(where: str, base: Path, name: re.Pattern[str]) -> str | None:
    log = base / where
    if "://" in where or not log.exists():
        return None
    candidates = [
        path
        for path in log.parent.iterdir()
        if path.is_file()
        and path != log
        and _suffix(path) in SUFFIXES
        and name.fullmatch(path.name) is not None
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda path: (SUFFIXES.index(_suffix(path)), path.name))
    return str(Path(where).parent / best.name)


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix
