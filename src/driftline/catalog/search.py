"""Searches models and their versions by an expression over what is recorded of them.

The names are those of MLflow: `tags`, `params`, `metrics`, `datasets` and attributes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from driftline.catalog.catalog import Catalog, Record
from driftline.catalog.match import Value, matches
from driftline.profiles.language import ExpressionError, Node, parse, walk

NAMESPACES: Mapping[str, str] = {
    "tags": "tags",
    "tag": "tags",
    "params": "params",
    "param": "params",
    "parameters": "params",
    "parameter": "params",
    "metrics": "metrics",
    "metric": "metrics",
    "datasets": "datasets",
    "dataset": "datasets",
    "links": "links",
    "attributes": "attributes",
    "attribute": "attributes",
    "attr": "attributes",
    "run": "attributes",
}
"""The namespace that each spelling stands for; those of MLflow are among them."""
SHOWN = ("tags", "params", "metrics", "datasets", "links", "attributes")
ATTRIBUTES: Mapping[str, str] = {
    "model": "model",
    "name": "model",
    "version": "version",
    "version_number": "version",
    "alias": "alias",
    "aliases": "alias",
    "owner": "owner",
    "user_id": "owner",
    "description": "description",
    "created": "created",
    "creation_timestamp": "created_millis",
    "creation_time": "created_millis",
    "start_time": "created_millis",
    "origin": "origin",
    "source_path": "origin",
    "run_name": "run_name",
    "run_id": "run_id",
    "status": "status",
}
"""The attribute that each spelling stands for; those of MLflow are among them."""
DATASET_FIELDS = ("name", "digest", "uri", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One version of a model with all that is recorded; a model without versions is one item."""

    model: str
    version: str
    aliases: tuple[str, ...]
    fields: Mapping[str, Any]
    """The fields of the version, completed by those of the model."""
    datasets: tuple[Mapping[str, Any], ...]

    def value(self, name: str) -> Value:
        """Return the value that a name in an expression stands for; None where there is none."""
        space, entry = split_name(name)
        if space == "datasets":
            return [str(dataset[entry]) for dataset in self.datasets if dataset.get(entry)]
        if space != "attributes":
            value: Value = self.fields.get(space, {}).get(entry)
            return value
        attribute = ATTRIBUTES[entry]
        if attribute == "alias":
            return self.aliases
        if attribute in ("model", "version"):
            return getattr(self, attribute) or None
        if attribute in ("run_name", "run_id", "status"):
            tag: Value = self.fields.get("tags", {}).get(f"mlflow.{attribute}")
            return tag
        if attribute == "created_millis":
            text = self.fields.get("created")
            return None if text is None else datetime.fromisoformat(text).timestamp() * 1000
        return self.fields.get(attribute) or None

    def as_json(self) -> dict[str, Any]:
        """Return the item as plain values for JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "aliases": list(self.aliases),
            **self.fields,
            "datasets": [dict(dataset) for dataset in self.datasets],
        }


def search_models(catalog: Catalog, expression: str) -> list[Item]:
    """Return the versions of models for which an expression is true, by model and version.

    The empty expression chooses all. Raises ExpressionError.
    """
    items = list(load_items(catalog))
    if not expression.strip():
        return items
    node = parse(expression)
    check_names(node, items)
    return [item for item in items if matches(node, item.value)]


def load_items(catalog: Catalog, model: str | None = None) -> Iterator[Item]:
    """Yield each version of each model that has records, or of one model."""
    by_model: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in catalog.records(model):
        by_model[record.model][record.kind].append(record)
    for name, kinds in by_model.items():
        own = kinds["model"][0].fields if kinds["model"] else {}
        datasets = {record.name: record.fields for record in kinds["dataset"]}
        aliases: dict[str, list[str]] = defaultdict(list)
        for record in kinds["alias"]:
            aliases[record.fields["version"]].append(record.name)
        versions = {record.name: record.fields for record in kinds["version"]}
        for version, fields in (versions or {"": {}}).items():
            yield Item(
                model=name,
                version=version,
                aliases=tuple(sorted(aliases[version])),
                fields=_complete(fields, own),
                datasets=tuple(
                    {"name": dataset, **datasets.get(dataset, {})}
                    for dataset in fields.get("datasets", ())
                ),
            )


def _complete(fields: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    result = {**own, **{name: value for name, value in fields.items() if name != "datasets"}}
    for name in ("tags", "links"):
        merged = {**own.get(name, {}), **fields.get(name, {})}
        if merged:
            result[name] = merged
    return result


def split_name(name: str) -> tuple[str, str]:
    """Return namespace and entry of a name; a plain name is an attribute."""
    head, dot, entry = name.partition(".")
    if dot and head in NAMESPACES:
        return NAMESPACES[head], entry
    return "attributes", name


def check_names(node: Node, items: Sequence[Item]) -> None:
    """Raise ExpressionError for a name that no item can have, with the nearest one."""
    for part in walk(node):
        if part.op == "column":
            _check_name(str(part.value), part.place, items)
        elif part.op in ("==", "!=", "<", "<=", ">", ">="):
            _check_metric_literal(part)


def _check_name(name: str, place: tuple[int, int], items: Sequence[Item]) -> None:
    head, dot, entry = name.partition(".")
    if dot and head not in NAMESPACES:
        raise ExpressionError(
            suggest(head, SHOWN, f"there is no namespace '{head}'"),
            (place[0], place[0] + len(head)),
        )
    space, entry = split_name(name)
    if space == "attributes":
        if entry not in ATTRIBUTES:
            names = [*sorted(set(ATTRIBUTES.values()) - {"created_millis"}), *SHOWN]
            hint = f"there is no attribute '{entry}'"
            tagged = [
                f"{kind}.{entry}"
                for kind in ("tags", "params", "metrics")
                if any(entry in item.fields.get(kind, {}) for item in items)
            ]
            if tagged:
                raise ExpressionError(f"{hint}; did you mean '{tagged[0]}'?", place)
            raise ExpressionError(suggest(entry, names, hint), place)
    elif space == "datasets":
        if entry not in DATASET_FIELDS:
            text = f"a dataset has no '{entry}'"
            raise ExpressionError(suggest(entry, DATASET_FIELDS, text), place)
    else:
        known = {key for item in items for key in item.fields.get(space, {})}
        near = get_close_matches(entry, known, 1, 0.6)
        if entry not in known and near and not (space == "tags" and len(entry) < 3):
            text = f"no model has {space}.{entry}; did you mean '{space}.{near[0]}'?"
            raise ExpressionError(text, place)


def _check_metric_literal(node: Node) -> None:
    sides = node.args
    names = [split_name(str(side.value))[0] for side in sides if side.op == "column"]
    for side in sides:
        is_text = side.op == "literal" and isinstance(side.value, str)
        if is_text and "metrics" in names and not _reads_as_number(str(side.value)):
            raise ExpressionError("a metric is a number: compare it with one", side.place)


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def suggest(name: str, names: Iterable[str], text: str) -> str:
    """Return a message about an unknown name, with the nearest one or all."""
    names = list(dict.fromkeys(names))
    near = get_close_matches(name, names, 1, 0.6)
    if near:
        return f"{text}; did you mean '{near[0]}'?"
    return f"{text}; there are: {', '.join(names)}" if names else f"{text}; there are none"
