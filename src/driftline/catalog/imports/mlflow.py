"""Reads registered models, their versions, aliases and runs from an MLflow server.

Source: the REST API of MLflow 2 and 3, https://mlflow.org/docs/latest/rest-api.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from driftline.catalog.imports.imported import (
    ImportedRecord,
    drop_empty,
    moment,
    numbers,
    pairs,
)

Get = Callable[[str, Mapping[str, str]], Mapping[str, Any]]
"""Returns the JSON of a path with parameters. Raises DriftlineError."""
PAGE = "200"


def read_server(get: Get, names: Sequence[str], origin: str) -> Iterator[ImportedRecord]:
    """Yield the records of the registered models `names`, or of all.

    `origin` is the address of the server, without a slash at the end.
    """
    model_names = (
        model["name"] for model in _pages(get, "registered-models/search", "registered_models")
    )
    for name in names or model_names:
        answer = get("registered-models/get", {"name": name})["registered_model"]
        fields = {
            "description": answer.get("description"),
            "tags": pairs(answer.get("tags")),
            "origin": f"{origin}/#/models/{name}",
        }
        yield ImportedRecord(name, "model", "", drop_empty(fields))
        quoted = name.replace("'", "''")
        query = {"filter": f"name = '{quoted}'"}
        for version in _pages(get, "model-versions/search", "model_versions", query):
            yield from _version(get, name, version, origin)
        for alias in answer.get("aliases", ()):
            yield ImportedRecord(name, "alias", alias["alias"], {"version": str(alias["version"])})


def read_run(run: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return the fields of a version that a run gives, and its datasets with their fields."""
    info, data = run.get("info", {}), run.get("data", {})
    tags = {key: text for key, text in pairs(data.get("tags")).items() if len(str(text)) < 5000}
    tags |= drop_empty(
        {f"mlflow.{name}": info.get(name) for name in ("run_id", "run_name", "status")}
    )
    datasets = []
    for entry in run.get("inputs", {}).get("dataset_inputs", ()):
        dataset = entry.get("dataset", {})
        context = pairs(entry.get("tags")).get("mlflow.data.context")
        fields = {
            "digest": dataset.get("digest"),
            "uri": _source_uri(dataset.get("source")),
            "tags": {"context": context} if context else {},
        }
        datasets.append((str(dataset.get("name", "dataset")), drop_empty(fields)))
    return {
        "params": pairs(data.get("params")),
        "metrics": numbers(pairs(data.get("metrics"))),
        "tags": tags,
        "owner": info.get("user_id") or tags.get("mlflow.user"),
        "datasets": list(dict.fromkeys(name for name, _ in datasets)),
    }, datasets


def _version(
    get: Get, model: str, version: Mapping[str, Any], origin: str
) -> Iterator[ImportedRecord]:
    number, run_id = str(version["version"]), version.get("run_id")
    run = get("runs/get", {"run_id": run_id})["run"] if run_id else {}
    fields, datasets = read_run(run)
    for name, dataset in datasets:
        yield ImportedRecord(model, "dataset", name, dataset)
    info, stage = run.get("info", {}), version.get("current_stage")
    page = f"{origin}/#/experiments/{info.get('experiment_id')}/runs/{run_id}"
    links = {
        "model": version.get("source"),
        "run": page if run else None,
        "artifacts": info.get("artifact_uri"),
    }
    tags = {**fields["tags"], **pairs(version.get("tags"))}
    if stage and stage != "None":
        tags["stage"] = stage
    fields |= {
        "created": moment(version.get("creation_timestamp")),
        "description": version.get("description"),
        "owner": version.get("user_id") or fields["owner"],
        "tags": tags,
        "links": drop_empty(links),
        "origin": f"{origin}/#/models/{model}/versions/{number}",
    }
    yield ImportedRecord(model, "version", number, drop_empty(fields))


def _source_uri(source: Any) -> str | None:
    """Return the address in the source of a dataset, which is JSON as text."""
    try:
        value = json.loads(source)
    except (TypeError, ValueError):
        return None
    keys = ("uri", "url", "path") if isinstance(value, Mapping) else ()
    return next((str(value[key]) for key in keys if value.get(key)), None)


def _pages(
    get: Get, path: str, key: str, parameters: Mapping[str, str] | None = None
) -> Iterator[Mapping[str, Any]]:
    token = ""
    while True:
        page = {**(parameters or {}), "max_results": PAGE}
        answer = get(path, page | ({"page_token": token} if token else {}))
        yield from answer.get(key, ())
        token = answer.get("next_page_token", "")
        if not token:
            return
