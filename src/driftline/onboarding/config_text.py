"""Writes the configuration for logs that were inspected: commented YAML for a person to check."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from driftline.onboarding.inspect_logs import LogInspection
from driftline.types.model import Field, Schema, Task

HEAD = """\
# Written by `driftline init`. Check the marked lines, then run:
# driftline validate && driftline run --once
version: 1

agent:
  state: sqlite:///driftline.db
  http: 127.0.0.1:8080
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedModel:
    """What is written about one model."""

    name: str
    source_type: str
    source_options: dict[str, Any]
    inspection: LogInspection
    reference: tuple[str, dict[str, Any]] | None
    """Type and options of the source of the reference; None without one."""
    labels: InspectedModel | None = None
    """The records of labels that come later; None without such."""

    @property
    def holds_labels(self) -> bool:
        """Whether its records are labels of predictions that other records hold."""
        schema = self.inspection.inference.schema
        has_outputs = schema.prediction is not None or schema.score is not None
        return bool(schema.label and schema.id) and not has_outputs and not schema.features

    def can_join(self, labels: InspectedModel) -> bool:
        """Whether its records are predictions without label, with the id of these labels."""
        schema, of_labels = self.inspection.inference.schema, labels.inspection.inference.schema
        if schema.id is None or of_labels.id is None or schema.label is not None:
            return False
        has_outputs = schema.prediction is not None or schema.score is not None
        return has_outputs and schema.id.name == of_labels.id.name


def join_labels(models: Sequence[InspectedModel]) -> list[InspectedModel]:
    """Return the models, with records of labels alone joined to the one model that they fit."""
    joined = list(models)
    for labels in [model for model in models if model.holds_labels]:
        fitting = [place for place, model in enumerate(joined) if model.can_join(labels)]
        if len(fitting) == 1:
            joined[fitting[0]] = replace(joined[fitting[0]], labels=labels)
            joined.remove(labels)
    return joined


def write_config(models: Sequence[InspectedModel]) -> str:
    """Return the text of a configuration with these models."""
    lines = [HEAD, "models:"]
    for model in models:
        lines += [*_model(model), ""]
    lines += [
        "sinks:",
        "  terminal: {type: console}",
        '  # team-chat: {type: slack, options: {webhook_url: "${env:SLACK_WEBHOOK_URL}"}}',
        "",
    ]
    return "\n".join(lines)


def _model(model: InspectedModel) -> list[str]:
    inference, windows = model.inspection.inference, model.inspection.windows
    lines = [
        f"  {_scalar(model.name)}:",
        "    source:",
        f"      type: {model.source_type}",
        "      options:",
    ]
    lines += [f"        {name}: {_inline(value)}" for name, value in model.source_options.items()]
    lines += [""]
    lines += [f"    # CHECK: {doubt}" for doubt in inference.doubts]
    lines += ["    schema:", *_schema(inference.schema, inference.positive), ""]
    lines += [] if model.labels is None else [*_labels(model.labels), ""]
    if model.reference is None:
        lines += [
            "    # What windows are compared with. A training file is better:",
            "    # {type: local, options: {path: train.parquet}}",
        ]
        lines += ["    reference: {trailing: 28d}"]
    else:
        type_name, options = model.reference
        lines += [f"    reference: {{type: {type_name}, options: {_inline(options)}}}"]
    backfill = ", backfill: null" if windows.reads_all else ""
    spans = f"length: {windows.length}, lateness: 15m, notify_within: {windows.notify_within}"
    return [
        *lines,
        "",
        "    # Rows belong to windows by event time. A window is judged `lateness` after its end.",
        "    # No message is sent about a window that ended more than `notify_within` before it is",
        "    # first judged; null sends messages about all windows.",
        f"    windows: {{{spans}{backfill}}}",
        "",
        "    # Without `checks`, those that fit the columns run with their default rules.",
        "    notify: [terminal]",
    ]


def _labels(labels: InspectedModel) -> list[str]:
    schema = labels.inspection.inference.schema
    columns = {"id": schema.id, "label": schema.label, "time": schema.timestamp}
    settings = {name: part.name for name, part in columns.items() if part is not None}
    options = {"type": labels.source_type, "options": labels.source_options}
    return [
        "    # Labels come later, in records of their own. They are joined by the id.",
        f"    labels: {_inline(options | settings)}",
    ]


def _inline(value: object) -> str:
    """Write a plain value, a list or a mapping on one line of YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_inline(item)}' for name, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    return str(value).lower() if isinstance(value, bool) else _scalar(value)


def _schema(schema: Schema, positive: str) -> list[str]:
    lines = []
    for role in ("timestamp", "id", "version"):
        part: Field | None = getattr(schema, role)
        if part is not None:
            value = _scalar(part.name)
            if role == "timestamp" and schema.time_form.format:
                value = f"{{path: {value}, format: {json.dumps(schema.time_form.format)}}}"
            lines.append(f"      {role}: {value}")
    lines.append("      features:" if schema.features else "      features: {}")
    lines += [
        f"        {_scalar(name)}: {_feature(part)}" for name, part in schema.features.items()
    ]
    if schema.task is not None and (schema.prediction or schema.score):
        outputs = {"column": schema.prediction, "score": schema.score}
        inside = [f"{key}: {_scalar(part.name)}" for key, part in outputs.items() if part]
        if schema.task is Task.BINARY and positive not in ("", "1"):
            inside.append(f"positive: {json.dumps(positive, ensure_ascii=False)}")
        lines.append(
            f"      prediction: {{{', '.join([*inside, f'kind: {Task(schema.task).value}'])}}}"
        )
    if schema.label is not None:
        lines.append(f"      label: {{column: {_scalar(schema.label.name)}}}")
    return lines


def _feature(part: Field) -> str:
    parts = {
        "path": part.path if part.path != part.name else "",
        "dimension": part.dimension if not part.element_paths else 0,
    }
    inside = ", ".join(
        f"{key}: {_scalar(value) if key == 'path' else value}"
        for key, value in parts.items()
        if value
    )
    return f"{{kind: {part.kind}, {inside}}}" if inside else str(part.kind)


def _scalar(value: object) -> str:
    """Write a value as YAML text, with quotes where YAML would read another value."""
    text = str(value)
    plain = (
        text.replace("_", "").replace("-", "").replace(".", "").replace("/", "").replace(" ", "")
    )
    safe = (
        plain.isalnum()
        and text == text.strip()
        and not plain[0].isdigit()
        and not text.startswith("- ")
        and text.lower() not in ("true", "false", "null", ".nan", ".inf", "-.inf")
    )
    return text if safe else json.dumps(text, ensure_ascii=False)
