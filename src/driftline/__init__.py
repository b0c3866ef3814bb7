"""All that a plugin may import, and nothing else.

Heavy parts load at first use, so that `import driftline` costs little more than pydantic and pluggy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from driftline import wording
from driftline.classic_rules import Cusum, Ewma, PValue, Shewhart, Sigma
from driftline.errors import (
    DriftlineError,
    ObjectChanged,
    ObjectGone,
    OutcomeUnknown,
    Rejected,
    Retryable,
    SourceBusy,
    SourceError,
    Throttled,
    Unreadable,
)
from driftline.hookspecs import hookimpl
from driftline.message import Markup, Message
from driftline.model import Decision, Field, Judgement, Kind, LogObject, Measurement, Schema, Severity, Task, Verdict
from driftline.notification import AlertFact, Event, Notification
from driftline.order import Order, Request, compact
from driftline.plugin import (
    Action,
    Check,
    CheckContext,
    DecodeContext,
    DiscoverContext,
    Earlier,
    ExecutorFactory,
    Format,
    FormatRef,
    Plugin,
    Sink,
    Source,
)
from driftline.rule import Bounds, Range, Rule, Unusual, above, below, unusual
from driftline.secret import Secret
from driftline.start_context import Answer, Http, StartContext

if TYPE_CHECKING:
    from driftline import (
        amazon,
        bodies,
        delimited,
        distribution,
        expressions,
        google,
        paired,
        predictions,
        protocols,
        records,
        sampled,
        slack,
        smtp,
        stats,
    )
    from driftline.decorated import check
    from driftline.halves import half
    from driftline.http_action import HttpAction, json_request
    from driftline.json_records import JsonRecords, RecordChunk, document_or_lines
    from driftline.layout import Layout, LayoutPattern, Place
    from driftline.lines import Chunk, LineChunks, joined, read_blocks
    from driftline.listing import in_place, key_of, list_store
    from driftline.notices import drain
    from driftline.patience import patiently, pause_of
    from driftline.profiles.batch import Batch
    from driftline.profiles.collector import Collector
    from driftline.profiles.spec import ProfileSpec
    from driftline.profiles.window import CategoricalColumn, Column, Labels, NumericColumn, Scores, Window
    from driftline.ranges import read_ranges
    from driftline.scalars import Bytes, Duration, Length, Size

__version__ = "0.1.0"

_LAZY = {
    "Batch": "driftline.profiles.batch",
    "Bytes": "driftline.scalars",
    "CategoricalColumn": "driftline.profiles.window",
    "Chunk": "driftline.lines",
    "Collector": "driftline.profiles.collector",
    "Column": "driftline.profiles.window",
    "Duration": "driftline.scalars",
    "HttpAction": "driftline.http_action",
    "JsonRecords": "driftline.json_records",
    "Labels": "driftline.profiles.window",
    "Layout": "driftline.layout",
    "LayoutPattern": "driftline.layout",
    "Length": "driftline.scalars",
    "LineChunks": "driftline.lines",
    "NumericColumn": "driftline.profiles.window",
    "Place": "driftline.layout",
    "ProfileSpec": "driftline.profiles.spec",
    "RecordChunk": "driftline.json_records",
    "Scores": "driftline.profiles.window",
    "Size": "driftline.scalars",
    "Window": "driftline.profiles.window",
    "check": "driftline.decorated",
    "document_or_lines": "driftline.json_records",
    "drain": "driftline.notices",
    "half": "driftline.halves",
    "in_place": "driftline.listing",
    "joined": "driftline.lines",
    "json_request": "driftline.http_action",
    "key_of": "driftline.listing",
    "list_store": "driftline.listing",
    "patiently": "driftline.patience",
    "pause_of": "driftline.patience",
    "read_blocks": "driftline.lines",
    "read_ranges": "driftline.ranges",
}

__all__ = [
    "Action",
    "AlertFact",
    "Answer",
    "Batch",
    "Bounds",
    "Bytes",
    "CategoricalColumn",
    "Check",
    "CheckContext",
    "Chunk",
    "Collector",
    "Column",
    "Cusum",
    "Decision",
    "DecodeContext",
    "DiscoverContext",
    "DriftlineError",
    "Duration",
    "Earlier",
    "Event",
    "Ewma",
    "ExecutorFactory",
    "Field",
    "Format",
    "FormatRef",
    "Http",
    "HttpAction",
    "JsonRecords",
    "Judgement",
    "Kind",
    "Labels",
    "Layout",
    "LayoutPattern",
    "Length",
    "LineChunks",
    "LogObject",
    "Markup",
    "Measurement",
    "Message",
    "Notification",
    "NumericColumn",
    "ObjectChanged",
    "ObjectGone",
    "Order",
    "OutcomeUnknown",
    "PValue",
    "Place",
    "Plugin",
    "ProfileSpec",
    "Range",
    "RecordChunk",
    "Rejected",
    "Request",
    "Retryable",
    "Rule",
    "Schema",
    "Scores",
    "Secret",
    "Severity",
    "Shewhart",
    "Sigma",
    "Sink",
    "Size",
    "Source",
    "SourceBusy",
    "SourceError",
    "StartContext",
    "Task",
    "Throttled",
    "Unreadable",
    "Unusual",
    "Verdict",
    "Window",
    "above",
    "amazon",
    "below",
    "bodies",
    "check",
    "compact",
    "delimited",
    "distribution",
    "document_or_lines",
    "drain",
    "expressions",
    "google",
    "half",
    "hookimpl",
    "in_place",
    "joined",
    "json_request",
    "key_of",
    "list_store",
    "paired",
    "patiently",
    "pause_of",
    "predictions",
    "protocols",
    "read_blocks",
    "read_ranges",
    "records",
    "sampled",
    "slack",
    "smtp",
    "stats",
    "unusual",
    "wording",
]


def __getattr__(name: str) -> object:
    if name in (
        "amazon",
        "bodies",
        "delimited",
        "distribution",
        "expressions",
        "google",
        "paired",
        "predictions",
        "protocols",
        "records",
        "sampled",
        "slack",
        "smtp",
        "stats",
    ):
        return import_module(f"driftline.{name}")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'driftline' has no attribute {name!r}")
