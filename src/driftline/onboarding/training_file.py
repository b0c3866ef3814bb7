"""Finds a file of training data beside a log on disk, by its name."""

from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r"(?i)(train|training|reference|ref|baseline)([_.-].*)?")
"""Stems of files that hold training data."""
SUFFIXES = (".parquet", ".csv", ".jsonl", ".json", ".avro")
"""Endings of files of rows, the best first; they may be compressed."""
COMPRESSED = (".gz", ".bz2", ".zst")


def find_training_file(where: str, base: Path) -> str | None:
    """Return the path of a training file in the folder of `where`, a file or a folder of a log.

    Both paths are relative to `base`. None for an address of another kind, or without such a file.
    """
    log = base / where
    if "://" in where or not log.exists():
        return None
    candidates = [
        path
        for path in log.parent.iterdir()
        if path.is_file() and path != log and _is_training_data(path)
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda path: (SUFFIXES.index(_suffix(path)), path.name))
    return str(Path(where).parent / best.name)


def _is_training_data(path: Path) -> bool:
    return _suffix(path) in SUFFIXES and NAME.fullmatch(path.name) is not None


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix
