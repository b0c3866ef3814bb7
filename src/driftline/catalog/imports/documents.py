"""Recognises the document of a registry by its fields, and reads it as records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from driftline.catalog.catalog import RecordError
from driftline.catalog.imports.cloud_documents import (
    read_azure_model,
    read_model_card,
    read_model_package,
    read_vertex_model,
)
from driftline.catalog.imports.imported import ImportedRecord, drop_empty, moment
from driftline.catalog.imports.mlflow import read_run

JsonDocument = Mapping[str, Any]
Reader = Callable[[JsonDocument], Iterator[ImportedRecord]]
FORMS = (
    "records (kind, name, fields), a run of MLflow, a model package or model card of SageMaker, "
    "a model of Vertex AI or of Azure Machine Learning"
)


def read_documents(text: str, model: str = "") -> Iterator[ImportedRecord]:
    """Yield the records of a JSON document, or of a list of them.

    `model` names the model in place of the name in the documents. Raises RecordError.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecordError(f"can't be read as JSON: {error}") from None
    for document in value if isinstance(value, list) else [value]:
        if not isinstance(document, Mapping):
            raise RecordError("should be a JSON object, or a list of them")
        try:
            yield from _read(document, model)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise RecordError(f"a document has another form than its kind ({detail})") from None


def _read(document: JsonDocument, model: str) -> Iterator[ImportedRecord]:
    if "kind" in document and "fields" in document:
        name = str(document.get("name") or "")
        owner = model or str(document.get("model") or "")
        yield ImportedRecord(owner, str(document["kind"]), name, dict(document["fields"]))
    elif "info" in document.get("run", document):
        yield from _run(document.get("run", document), model)
    elif (reader := _recognise(document)) is not None:
        for record in reader(document):
            yield ImportedRecord(model or record.model, record.kind, record.name, record.fields)
    else:
        raise RecordError(f"is no known document; there are: {FORMS}")


def _recognise(document: JsonDocument) -> Reader | None:
    """Return the reader for the fields that a document has."""
    if "ModelPackageArn" in document:
        return read_model_package
    if "ModelCardName" in document and "Content" in document:
        return read_model_card
    if str(document.get("name", "")).startswith("projects/"):
        return read_vertex_model
    is_rest = "modelUri" in (document.get("properties") or {})
    is_printed = "/models/" in str(document.get("id", "")) and "version" in document
    return read_azure_model if is_rest or is_printed else None


def _run(run: JsonDocument, model: str) -> Iterator[ImportedRecord]:
    """A run that is no registered version: the version has its id as name."""
    info = run["info"]
    if not model:
        raise RecordError("a run names no model: say which with --model")
    fields, datasets = read_run(run)
    for name, dataset in datasets:
        yield ImportedRecord(model, "dataset", name, dataset)
    fields["created"] = moment(info.get("start_time"))
    fields["links"] = drop_empty({"artifacts": info.get("artifact_uri")})
    fields["origin"] = f"run {info['run_id']}"
    yield ImportedRecord(model, "version", str(info["run_id"]), drop_empty(fields))
