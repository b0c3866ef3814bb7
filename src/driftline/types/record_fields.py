"""What a record of a model can say, by its kind: fields with their types.

Configuration, commands, the HTTP API, Python and importers write the same fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, model_validator

from driftline.types.settings import Settings
from driftline.types.times import as_utc

MOST_ENTRIES = 2000
"""The most parameters, metrics, tags or links of one record."""
LONGEST = 10_000
"""The most characters of a text."""


def flatten_names(value: Any) -> Any:
    """Return nested mappings as one, with dotted names: `{train: {auc: 1}}` is `train.auc`."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[Any, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            inner = flatten_names(item)
            flat |= {f"{name}.{key}": entry for key, entry in inner.items()}
        else:
            flat[name] = item
    return flat


def _as_text(value: Any) -> Any:
    """Numbers and flags as text, as a registry of models has them."""
    if isinstance(value, Mapping):
        return {
            key: str(item).lower()
            if isinstance(item, bool)
            else str(item)
            if isinstance(item, (int, float))
            else item
            for key, item in value.items()
        }
    return value


Text = Annotated[str, Field(max_length=LONGEST)]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Moment = Annotated[datetime, AfterValidator(as_utc)]
Texts = Annotated[
    dict[Name, Text],
    BeforeValidator(_as_text),
    BeforeValidator(flatten_names),
    Field(max_length=MOST_ENTRIES),
]
Scalars = Annotated[
    dict[Name, bool | int | FiniteFloat | Text],
    BeforeValidator(flatten_names),
    Field(max_length=MOST_ENTRIES),
]
Numbers = Annotated[
    dict[Name, FiniteFloat], BeforeValidator(flatten_names), Field(max_length=MOST_ENTRIES)
]


class ModelFields(Settings):
    """A model as a whole."""

    description: Text = ""
    """What it is for."""
    owner: Text = ""
    """Who looks after it."""
    tags: Texts = {}
    """Tags, such as `team: growth`."""
    links: Texts = {}
    """Addresses by what they are, such as `runbook`."""
    origin: Text = ""
    """The registry that it was imported from."""


class VersionFields(Settings):
    """One version of a model."""

    created: Moment | None = None
    """When it was made."""
    description: Text = ""
    """What is new in it."""
    owner: Text = ""
    """Who made it."""
    params: Scalars = {}
    """Parameters of its training, such as `max_depth: 6`."""
    metrics: Numbers = {}
    """Metrics of its training, such as `train.auc: 0.83`."""
    datasets: tuple[Name, ...] = ()
    """The names of the datasets that it was trained and tested with."""
    tags: Texts = {}
    """Tags."""
    links: Texts = {}
    """Addresses of its artefacts by what they are, such as `model` and `run`."""
    origin: Text = ""
    """The registry that it was imported from."""


class AliasFields(Settings):
    """A name for one version, such as `champion`."""

    version: Name
    """The version."""


class DatasetFields(Settings):
    """A dataset that versions were trained or tested with."""

    uri: Text = ""
    """Where it is."""
    digest: Text = ""
    """A digest of its content."""
    rows: int | None = Field(default=None, ge=0)
    """How many rows it has."""
    description: Text = ""
    """What it is."""
    tags: Texts = {}
    """Tags."""


EventType = Literal["deployment", "schema", "configuration", "campaign", "other"]


class EventFields(Settings):
    """Something that happened to a model or around it."""

    type: EventType
    """What kind of event it is."""
    at: Moment
    """When it happened, or began."""
    until: Moment | None = None
    """When it ended, such as a campaign."""
    title: Text = ""
    """What happened, in a few words."""
    version: Text = ""
    """The version that was deployed."""
    link: Text = ""
    """The address of a page about it."""
    tags: Texts = {}
    """Tags."""

    @model_validator(mode="after")
    def _in_order(self) -> EventFields:
        if self.until is not None and self.until < self.at:
            raise ValueError("until should not be before at")
        return self


Fields = ModelFields | VersionFields | AliasFields | DatasetFields | EventFields
KINDS: Mapping[str, type[Settings]] = {
    "model": ModelFields,
    "version": VersionFields,
    "alias": AliasFields,
    "dataset": DatasetFields,
    "event": EventFields,
}
"""The kinds of records and their fields."""
