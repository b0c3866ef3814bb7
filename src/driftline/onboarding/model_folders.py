"""Finds out whether a log holds the records of several models: by its folders and file names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from driftline.contracts.source import Source
from driftline.kit.decoding.split_records import side_of
from driftline.kit.stores.layout import LAYOUTS
from driftline.onboarding.first_records import MAX_KINDS, read_first_records
from driftline.profiles.label_classes import listing as name_values
from driftline.types.model import LogObject

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

ENDPOINT_PART, MODEL_PART = "{endpoint}", "{model}"
"""Parts of layouts that name models."""
MAX_FOLDERS = 20
"""Folders that are compared; with more of them they are not those of models."""
COMMON_SHARE = 0.5
"""The share of common columns from which the records of two folders are of one model."""
NUMBERS = re.compile(r"[-_.T]*[0-9]")
"""Where the part of a file's name begins that counts or dates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolders:
    """What the folders of a log say about models."""

    of_models: Mapping[str, str] = field(default_factory=dict)
    """Folders with the records of one model each by model, where there are several.

    One that ends in `*` is the beginning of the names of several folders.
    """
    alike: tuple[str, ...] = ()
    """First folders whose records have the same columns."""

    def doubts(self) -> Iterator[str]:
        """Yield sentences about what a person should check."""
        if self.alike:
            yield (
                f"the folders {name_values(self.alike)} have the same columns and are taken as one "
                "model: if each is a model, give it a source of its own"
            )


def find_model_folders(
    source: Source, listing: list[LogObject], layout: str | None, name: str, registry: Registry
) -> ModelFolders:
    """Return the folders of several models; none where the objects are of one model.

    Folders of endpoints are models, and folders with the jobs of one model each. First folders of
    another kind are where their records have other columns.
    """
    keys = [key.lstrip("/") for key in object_keys(source, listing)]
    pattern = LAYOUTS.get(layout or "", layout or "").split("/")
    model_part = next((part for part in pattern if MODEL_PART in part), None)
    if ENDPOINT_PART in pattern or model_part is not None:
        depth = pattern.index(model_part or ENDPOINT_PART) + (model_part is None)
        found = {"/".join(key.split("/")[:depth]) for key in keys if key.count("/") >= depth}
        if 1 < len(found) <= MAX_FOLDERS:
            return ModelFolders(of_models=_name_folders(found))
        return ModelFolders(of_models=_split_jobs(listing, model_part or "", found))
    by_folder: dict[str, list[LogObject]] = {}
    for key, obj in zip(keys, listing, strict=True):
        folder, slash, _ = key.partition("/")
        if not slash or not folder or not folder.strip("0123456789-T:") or "=" in folder:
            return ModelFolders()
        by_folder.setdefault(folder, []).append(obj)
    if not 1 < len(by_folder) <= MAX_FOLDERS or pattern[0] == "{collection}":
        return ModelFolders()
    if not pattern[0].startswith("{") and pattern[0]:
        return ModelFolders()
    columns = [
        set(batch.schema.names)
        for objects in by_folder.values()
        for batch in read_first_records(source, objects[-1:], name, {}, registry).batches[:1]
        if side_of(batch) is None
    ]
    folders = tuple(sorted(by_folder))
    alike = (_common_share(names, columns[0]) for names in columns)
    if len(columns) < len(by_folder):
        return ModelFolders()
    if min(alike) >= COMMON_SHARE:
        return ModelFolders(alike=folders)
    return ModelFolders(of_models={folder: folder for folder in folders})


def _name_folders(folders: Iterable[str]) -> dict[str, str]:
    """Return folders by the names of their models: the last part, or the path where two agree."""
    names = {folder: folder.rpartition("/")[2] for folder in folders}
    if len(set(names.values())) < len(names):
        names = {folder: folder.replace("/", "-") for folder in folders}
    return {name: folder for folder, name in sorted(names.items())}


def _split_jobs(listing: list[LogObject], part: str, folders: Set[str]) -> dict[str, str]:
    """Return the beginnings of the names of jobs by their models, where one folder has several.

    There are none where the name of one model is the beginning of another one's.
    """
    models = sorted({obj.parts["model"] for obj in listing if "model" in obj.parts})
    overlap = any(other.startswith(f"{model}-") for model in models for other in models)
    if not 1 < len(models) <= MAX_FOLDERS or overlap:
        return {}
    folder = next(iter(folders), "")
    start = f"{folder}/" if folder else ""
    beginning = part.partition(MODEL_PART)[0]
    return {model: f"{start}{beginning}{model}-*" for model in models}


def find_mixed_files(
    source: Source, listing: list[LogObject], name: str, registry: Registry
) -> Iterator[str]:
    """Yield a sentence where files beside each other have records of different kinds."""
    kinds: dict[str, LogObject] = {}
    for obj in listing:
        file_name = unquote(obj.uri).rpartition("/")[2]
        stem = NUMBERS.split(file_name, maxsplit=1)[0].partition(".")[0]
        kinds[stem] = obj
    if not 1 < len(kinds) <= MAX_KINDS or any(obj.parts for obj in kinds.values()):
        return
    columns = {
        unquote(obj.uri).rpartition("/")[2]: set(batch.schema.names)
        for obj in kinds.values()
        for batch in read_first_records(source, [obj], name, {}, registry).batches[:1]
        if side_of(batch) is None
    }
    names = sorted(columns)
    if any(_common_share(columns[names[0]], columns[other]) < COMMON_SHARE for other in names):
        yield (
            f"the files {name_values(names)} have different columns and are read as one log: give "
            "the records of each model a source of its own, and labels that come later one in "
            "`labels`"
        )


def _common_share(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def object_keys(source: Source, listing: list[LogObject]) -> list[str]:
    """Return the names of objects below the source's prefix or folder."""
    root = getattr(source, "prefix", None)
    if root is None:
        path = os.path.expanduser(getattr(source, "path", ""))
        while glob.has_magic(path) and not os.path.lexists(source.context.config_folder / path):
            path = os.path.dirname(path)
        root = f"{os.path.abspath(source.context.config_folder / path)}/"
    names = [unquote(obj.uri) for obj in listing]
    return [
        name.partition(root)[2] if root and root in name else name.split("://", 1)[-1]
        for name in names
    ]
