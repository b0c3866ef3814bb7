"""Reads what the registries of clouds print of a model: the JSON of their command-line tools.

Sources: DescribeModelPackage and the schema of model cards of Amazon SageMaker, the resource Model
and its evaluations of Vertex AI, and model versions of Azure Machine Learning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from driftline.catalog.imports.imported import (
    ImportedRecord,
    drop_empty,
    moment,
    numbers,
    pairs,
    texts,
)
from driftline.types.record_fields import flatten_names

JsonDocument = Mapping[str, Any]


def read_model_package(document: JsonDocument) -> Iterator[ImportedRecord]:
    """Yield the version that a model package of SageMaker is."""
    arn = str(document["ModelPackageArn"])
    model = document.get("ModelPackageGroupName") or document.get("ModelPackageName")
    containers = document.get("InferenceSpecification", {}).get("Containers", [])
    first = containers[0] if containers else {}
    properties = document.get("MetadataProperties", {})
    tags = texts(document.get("CustomerMetadataProperties"))
    tags |= pairs(document.get("Tags"), "Key", "Value")
    tags |= drop_empty(
        {
            "approval": document.get("ModelApprovalStatus"),
            "status": document.get("ModelPackageStatus"),
            "stage": document.get("ModelLifeCycle", {}).get("Stage"),
            "sagemaker_domain": document.get("Domain"),
            "task": document.get("Task"),
            "commit": properties.get("CommitId"),
        }
    )
    reports = {
        name.removesuffix(".S3Uri"): uri
        for name, uri in flatten_names(document.get("ModelMetrics", {})).items()
        if name.endswith(".S3Uri")
    }
    links = {
        "model": first.get("ModelDataUrl"),
        "image": first.get("Image"),
        "repository": properties.get("Repository"),
        "source": document.get("SourceUri"),
        **reports,
    }
    fields = {
        "created": moment(document.get("CreationTime")),
        "description": document.get("ModelPackageDescription"),
        "owner": document.get("CreatedBy", {}).get("UserProfileName"),
        "params": drop_empty({"framework": first.get("Framework")}),
        "tags": tags,
        "links": drop_empty(links),
        "origin": arn,
    }
    version = str(document.get("ModelPackageVersion", 1))
    yield ImportedRecord(str(model), "version", version, drop_empty(fields))


def read_model_card(document: JsonDocument) -> Iterator[ImportedRecord]:
    """Yield the model and the version that a model card of SageMaker describes."""
    content = document["Content"]
    card = json.loads(content) if isinstance(content, str) else content
    overview, uses = card.get("model_overview", {}), card.get("intended_uses", {})
    job = card.get("training_details", {}).get("training_job_details", {})
    model = str(overview.get("model_name") or document["ModelCardName"])
    tags = {
        "purpose": uses.get("purpose_of_model"),
        "risk": uses.get("risk_rating"),
        "problem": overview.get("problem_type"),
        "card_status": document.get("ModelCardStatus"),
    }
    fields = {
        "description": overview.get("model_description"),
        "owner": overview.get("model_owner"),
        "tags": drop_empty(tags),
        "origin": document.get("ModelCardArn"),
    }
    yield ImportedRecord(model, "model", "", drop_empty(fields))
    datasets = [str(name) for name in job.get("training_datasets", ())]
    for name in datasets:
        yield ImportedRecord(model, "dataset", name, {"uri": name})
    params = {
        name: value
        for key in ("hyper_parameters", "user_provided_hyper_parameters")
        for name, value in pairs(job.get(key), "name").items()
    }
    artefacts = overview.get("model_artifact", [])
    version = overview.get("model_version") or document.get("ModelCardVersion", 1)
    fields = {
        "created": moment(document.get("CreationTime")),
        "owner": overview.get("model_creator"),
        "params": drop_empty({**params, "algorithm": overview.get("algorithm_type")}),
        "metrics": numbers(_card_metrics(card, job)),
        "datasets": datasets,
        "links": {"model": str(artefacts[0])} if artefacts else {},
        "origin": document.get("ModelCardArn"),
    }
    name = f"{version:g}" if isinstance(version, float) else str(version)
    yield ImportedRecord(model, "version", name, drop_empty(fields))


def _card_metrics(card: JsonDocument, job: JsonDocument) -> dict[str, Any]:
    metrics = {
        f"train.{name}": value
        for key in ("training_metrics", "user_provided_training_metrics")
        for name, value in pairs(job.get(key), "name").items()
    }
    for evaluation in card.get("evaluation_details", ()):
        for group in evaluation.get("metric_groups", ()):
            for name, value in pairs(group.get("metric_data"), "name").items():
                metrics[f"{evaluation.get('name', 'evaluation')}.{name}"] = value
    return metrics


def read_vertex_model(document: JsonDocument) -> Iterator[ImportedRecord]:
    """Yield the version and aliases that a Model of Vertex AI has; its evaluations may be in it."""
    model = document.get("displayName") or str(document["name"]).rpartition("/")[2]
    version = str(document.get("versionId", "1"))
    metrics: dict[str, Any] = {}
    for evaluation in document.get("modelEvaluations", ()):
        metrics |= flatten_names(evaluation.get("metrics", {}))
    links = {
        "model": document.get("artifactUri"),
        "image": document.get("containerSpec", {}).get("imageUri"),
        "pipeline": document.get("trainingPipeline"),
    }
    fields = {
        "created": moment(document.get("versionCreateTime") or document.get("createTime")),
        "description": document.get("versionDescription") or document.get("description"),
        "metrics": numbers(metrics),
        "tags": texts(document.get("labels")),
        "links": drop_empty(links),
        "origin": f"{document['name']}@{version}",
    }
    yield ImportedRecord(str(model), "version", version, drop_empty(fields))
    for alias in document.get("versionAliases", ()):
        yield ImportedRecord(str(model), "alias", str(alias), {"version": version})


def read_azure_model(document: JsonDocument) -> Iterator[ImportedRecord]:
    """Yield the version that a model of Azure Machine Learning is: of its tool, or of REST."""
    place = str(document.get("id", ""))
    properties = document.get("properties") or {}
    is_rest = "modelUri" in properties
    fields = properties if is_rest else document
    model = place.rpartition("/versions/")[0].rpartition("/")[2] if is_rest else document["name"]
    version = document["name"] if is_rest else document["version"]
    context = document.get("systemData" if is_rest else "creation_context") or {}
    tags = texts(fields.get("tags"))
    if fields.get("stage"):
        tags["stage"] = str(fields["stage"])
    links = {
        "model": fields.get("modelUri") or fields.get("path"),
        "job": fields.get("jobName") or fields.get("job_name"),
    }
    result = {
        "created": moment(context.get("createdAt") or context.get("created_at")),
        "description": fields.get("description"),
        "owner": context.get("createdBy") or context.get("created_by"),
        "params": texts(fields.get("properties")),
        "tags": tags,
        "links": drop_empty(links),
        "origin": place.removeprefix("azureml:"),
    }
    yield ImportedRecord(str(model), "version", str(version), drop_empty(result))
