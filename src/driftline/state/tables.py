"""Defines the tables for SQLAlchemy Core.

The migrations create them, and a test compares both. Times are microseconds since the epoch, UTC,
as integers: exact, ordered and the same on every database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from driftline.state.measurement_tables import (
    changed_measurements,
    measurement_blocks,
    measurement_dictionaries,
    measurement_traces,
)
from driftline.state.metadata import Id, metadata
from driftline.state.text_columns import NulSafeString, NulSafeText

__all__ = [
    "changed_measurements",
    "measurement_blocks",
    "measurement_dictionaries",
    "measurement_traces",
    "metadata",
]

models = Table(
    "models",
    metadata,
    *(
        Column("name", NulSafeString, primary_key=True),
        Column("watched_since", BigInteger, nullable=False),
        Column("last_event", BigInteger),
        Column("spec", LargeBinary),
        Column("spec_digest", NulSafeString, nullable=False, default=""),
        Column("schema_json", NulSafeText, nullable=False, default=""),
        Column(
            "columns_json",
            NulSafeText,
            nullable=False,
            default="[]",
            comment="the inputs' names in the reference, in order",
        ),
        Column("reference_id", Id),
        Column("config_digest", NulSafeString, nullable=False, default=""),
        Column("judged_until", BigInteger),
        Column(
            "listed_at",
            BigInteger,
            comment="when the last pass began that dealt with all it listed",
        ),
        Column(
            "whole_at", BigInteger, comment="when the last such pass began that listed everything"
        ),
        Column(
            "whole_digest",
            NulSafeString,
            nullable=False,
            default="",
            comment="of the source and spec of that pass",
        ),
        Column(
            "waits_from",
            BigInteger,
            comment="predictions of windows that start before it wait no longer for labels",
        ),
    ),
    comment="One row a model: what the agent knows of it as a whole.",
)

objects = Table(
    "objects",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("model", NulSafeString, nullable=False),
        Column("uri", NulSafeText, nullable=False),
        Column("version", NulSafeText, nullable=False),
        Column(
            "lineage",
            NulSafeText,
            nullable=False,
            default="",
            comment="the same as long as the content only grows",
        ),
        Column("size", BigInteger, nullable=False),
        Column("modified", BigInteger, nullable=False),
        Column("state", NulSafeString, nullable=False, comment="done, quarantined or gone"),
        Column(
            "offset",
            BigInteger,
            nullable=False,
            default=0,
            comment="bytes of whole records taken; 0 when not resumable",
        ),
        Column("rows", BigInteger, nullable=False, default=0),
        Column("rejected", BigInteger, nullable=False, default=0),
        Column("held", BigInteger, nullable=False, default=0, comment="rows without a usable time"),
        Column("first_event", BigInteger),
        Column("last_event", BigInteger),
        Column("spec_digest", NulSafeString, nullable=False, default=""),
        Column("error", NulSafeText, nullable=False, default=""),
        Column("attempts", Integer, nullable=False, default=0),
        Column(
            "mark",
            NulSafeString,
            nullable=False,
            default="",
            comment="of the bytes right before offset, where it may grow",
        ),
        Column("partition", BigInteger, comment="start of the span of time that its place names"),
        Column(
            "unpaired",
            BigInteger,
            nullable=False,
            default=0,
            comment="requests or responses that stayed alone for good",
        ),
        Column(
            "unlabelled",
            BigInteger,
            nullable=False,
            default=0,
            comment="predictions and labels that were never joined",
        ),
    ),
    Index("objects_by_uri", "model", "uri", unique=True).ddl_if(dialect="sqlite"),
    # That of PostgreSQL is in `driftline.state.postgres`: its options load the whole dialect.
    Index("objects_by_lineage", "model", "lineage"),
    Index("objects_by_state", "model", "state", "attempts"),
    comment="The ledger: each log object, its version, and how far it has been read.",
)

rejects = Table(
    "rejects",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column(
            "object_id",
            Id,
            ForeignKey("objects.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        Column("position", BigInteger, nullable=False),
        Column("reason", NulSafeText, nullable=False),
        Column("sample", NulSafeText, nullable=False),
    ),
    comment="A bounded sample of the records that could not be read.",
)

shares = Table(
    "shares",
    metadata,
    *(
        Column("object_id", Id, ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True),
        Column(
            "piece",
            BigInteger,
            primary_key=True,
            comment="byte offset at which this piece of a growing object began",
        ),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("model", NulSafeString, nullable=False),
        Column("rows", BigInteger, nullable=False),
        Column(
            "profile",
            LargeBinary,
            comment="null once the window is settled and the profile is merged into it",
        ),
    ),
    Index("shares_by_window", "model", "start", "version", "segment"),
    comment=(
        "What one object contributed to one window: the provenance, and until the window "
        "settles the profile itself."
    ),
)

windows = Table(
    "windows",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("end", BigInteger, nullable=False),
        Column("rows", BigInteger, nullable=False, default=0),
        Column(
            "revision", Integer, nullable=False, default=0, comment="0 until judged; then 1, 2, ..."
        ),
        Column(
            "dirty",
            Integer,
            nullable=False,
            default=1,
            comment="since it was judged: 1 when rows came, 2 when only labels did",
        ),
        Column(
            "settled",
            Integer,
            nullable=False,
            default=0,
            comment="1 when no more rows are taken; profile holds all of it",
        ),
        Column("profile", LargeBinary),
        Column(
            "labelled", LargeBinary, comment="what labels that came later say of its predictions"
        ),
        Column(
            "quiet",
            Integer,
            nullable=False,
            default=0,
            comment="1 when it was too old for messages when first judged",
        ),
        Column("reference_id", Id),
        Column("config_digest", NulSafeString, nullable=False, default=""),
    ),
    Index("windows_dirty", "model", "dirty", "start"),
    comment="Each window of each model version and segment.",
)

waiting = Table(
    "waiting",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("model", NulSafeString, nullable=False),
        Column(
            "role", NulSafeString, nullable=False, comment="prediction, label, request or response"
        ),
        Column("object_id", Id, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False),
        Column("piece", BigInteger, nullable=False),
        Column(
            "start",
            BigInteger,
            nullable=False,
            comment="of the window it belongs to; of labels, when they were given",
        ),
        Column("version", NulSafeString, nullable=False, default=""),
        Column("rows", BigInteger, nullable=False),
        Column(
            "matched",
            BigInteger,
            nullable=False,
            default=0,
            comment="rows that found their other half",
        ),
        Column(
            "hashes",
            LargeBinary,
            nullable=False,
            comment="64 bits of each id, little-endian, in the order of content",
        ),
        Column("content", LargeBinary, nullable=False),
        Column(
            "joined",
            Integer,
            nullable=False,
            default=0,
            comment="1 once what it says is in the windows",
        ),
        Column(
            "removed",
            Integer,
            nullable=False,
            default=0,
            comment="1 when its object no longer says so, until that is dealt with",
        ),
    ),
    Index("waiting_by_state", "model", "role", "joined", "removed"),
    Index("waiting_by_start", "model", "role", "start"),
    Index("waiting_by_object", "object_id", "piece"),
    comment=(
        "Rows kept for what comes later by id: predictions for labels, requests and "
        "responses for each other."
    ),
)

rollups = Table(
    "rollups",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("end", BigInteger, nullable=False),
        Column("rows", BigInteger, nullable=False),
        Column("spec_digest", NulSafeString, nullable=False),
        Column("profile", LargeBinary, nullable=False),
    ),
    comment="Days of windows whose own profiles have expired.",
)

configurations = Table(
    "configurations",
    metadata,
    *(
        Column("digest", NulSafeString, primary_key=True),
        Column("model", NulSafeString, nullable=False),
        Column(
            "content",
            NulSafeText,
            nullable=False,
            comment="the model's part of the file as JSON, references to secrets unresolved",
        ),
        Column(
            "plugins",
            NulSafeText,
            nullable=False,
            comment="JSON: kind and name to version and origin, and driftline's own",
        ),
        Column("first_used", BigInteger, nullable=False),
    ),
    comment="Every configuration that windows were judged by: their config_digest points here.",
)

references = Table(
    "reference_profiles",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("model", NulSafeString, nullable=False, index=True),
        Column("number", Integer, nullable=False, comment="1, 2, ... within the model"),
        Column(
            "origin",
            NulSafeText,
            nullable=False,
            comment="what it was made of, as JSON: objects with versions, or a span",
        ),
        Column("digest", NulSafeString, nullable=False),
        Column("rows", BigInteger, nullable=False),
        Column("spec_digest", NulSafeString, nullable=False),
        Column("profile", LargeBinary),
        Column(
            "spans",
            LargeBinary,
            comment="profiles of its weeks or months; null where its rows have no times",
        ),
        Column(
            "accepted",
            NulSafeText,
            nullable=False,
            server_default="",
            comment="who made it so and why, as JSON",
        ),
        Column("spec", LargeBinary, comment="what its windows are counted with; null before 0012"),
        Column("schema_json", NulSafeText, nullable=False, server_default=""),
        Column("columns_json", NulSafeText, nullable=False, server_default="[]"),
    ),
    Index("references_by_number", "model", "number", unique=True),
    comment="Frozen, versioned profiles that windows are compared with.",
)

alerts = Table(
    "alerts",
    metadata,
    Column("key", NulSafeString, primary_key=True),
    Column("model", NulSafeString, nullable=False, index=True),
    Column("state", NulSafeText, nullable=False, comment="JSON"),
    comment="The state of one rule on one set of labels.",
)

incidents = Table(
    "incidents",
    metadata,
    *(
        Column("id", NulSafeString, primary_key=True),
        Column("model", NulSafeString, nullable=False),
        Column("cause", NulSafeString, nullable=False),
        Column("state", NulSafeString, nullable=False, comment="firing or resolved"),
        Column("severity", NulSafeString, nullable=False),
        Column("title", NulSafeText, nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("resolved_at", BigInteger),
        Column("revision", Integer, nullable=False),
        Column("detail", NulSafeText, nullable=False, comment="JSON"),
        Column(
            "reopens_until", BigInteger, comment="until when it may come back, once it has ended"
        ),
    ),
    Index("incidents_by_state", "model", "state"),
    comment="Alerts that belong together: people get one thread for each.",
)

incident_events = Table(
    "incident_events",
    metadata,
    *(
        Column("incident", NulSafeString, primary_key=True),
        Column("revision", Integer, primary_key=True),
        Column("event", NulSafeString, nullable=False),
        Column(
            "at",
            BigInteger,
            nullable=False,
            comment="event time for windows, the clock's for trouble of the agent",
        ),
        Column("reason", NulSafeText, nullable=False),
        Column("facts", NulSafeText, nullable=False, comment="the notification, as JSON"),
        Column(
            "author",
            NulSafeText,
            nullable=False,
            server_default="",
            comment="who did it; empty for what the agent found",
        ),
        Column(
            "held",
            NulSafeText,
            nullable=False,
            server_default="",
            comment="why no message was sent; empty when one was",
        ),
    ),
    comment="The history of each incident.",
)

acts = Table(
    "acts",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("kind", NulSafeString, nullable=False, comment="acknowledge, snooze or accept"),
        Column("model", NulSafeString, nullable=False),
        Column("incident", NulSafeString, nullable=False),
        Column("until", BigInteger, comment="of a snooze"),
        Column("author", NulSafeText, nullable=False),
        Column("reason", NulSafeText, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("applied", BigInteger, comment="when the agent dealt with it"),
        Column(
            "outcome",
            NulSafeText,
            nullable=False,
            default="",
            comment="why nothing came of it; empty when it was done",
        ),
    ),
    Index("acts_by_model", "model", "applied"),
    comment=(
        "What people ask of incidents: left by any process, applied by the agent in the "
        "transaction of its step."
    ),
)

silences = Table(
    "silences",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("matchers", NulSafeText, nullable=False),
        Column("start", BigInteger, nullable=False),
        Column("until", BigInteger, nullable=False),
        Column("author", NulSafeText, nullable=False),
        Column("reason", NulSafeText, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column(
            "ended_by",
            NulSafeText,
            nullable=False,
            default="",
            comment="who ended it before its time",
        ),
        Column("ended_reason", NulSafeText, nullable=False, default=""),
    ),
    comment="Which messages are not sent, and for how long.",
)

pages = Table(
    "pages",
    metadata,
    *(
        Column("incident", NulSafeString, primary_key=True),
        Column("revision", Integer, primary_key=True),
        Column("model", NulSafeString, nullable=False),
        Column("at", BigInteger, nullable=False),
    ),
    Index("pages_by_model", "model", "at"),
    comment="When people were paged: what the cap of pages a day counts.",
)

outbox = Table(
    "outbox",
    metadata,
    *(
        Column("id", NulSafeString, primary_key=True, comment="the idempotency key"),
        Column("sink", NulSafeString, nullable=False),
        Column("incident", NulSafeString, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("event", NulSafeString, nullable=False),
        Column("payload", NulSafeText, nullable=False, comment="the notification, as JSON"),
        Column(
            "state",
            NulSafeString,
            nullable=False,
            comment="see driftline.types.message_state.MessageState",
        ),
        Column("attempts", Integer, nullable=False, default=0),
        Column("not_before", BigInteger, nullable=False, default=0),
        Column("created", BigInteger, nullable=False),
        Column("finished", BigInteger),
        Column(
            "remote", NulSafeText, nullable=False, default="", comment="the receiver's reference"
        ),
        Column("error", NulSafeText, nullable=False, default=""),
    ),
    Index("outbox_by_state", "sink", "state", "not_before"),
    Index("outbox_by_incident", "incident", "sink"),
    comment="Notifications, kept until their sink took them or refused them.",
)

sinks = Table(
    "sinks",
    metadata,
    *(
        Column("name", NulSafeString, primary_key=True),
        Column(
            "not_before",
            BigInteger,
            nullable=False,
            default=0,
            comment="no request to this sink before",
        ),
        Column("failures", Integer, nullable=False, default=0, comment="in a row"),
        Column("error", NulSafeText, nullable=False, default=""),
        Column("last_sent", BigInteger),
    ),
    comment="What is known of each sink, also across restarts.",
)

action_runs = Table(
    "action_runs",
    metadata,
    *(
        Column("token", NulSafeString, primary_key=True),
        Column("action", NulSafeString, nullable=False),
        Column("model", NulSafeString, nullable=False),
        Column("incident", NulSafeString, nullable=False),
        Column("decision", NulSafeString, nullable=False, default=""),
        Column(
            "state", NulSafeString, nullable=False, comment="see driftline.state.action_runs.State"
        ),
        Column("why", NulSafeText, nullable=False, comment="what called for it"),
        Column(
            "request",
            NulSafeText,
            nullable=False,
            comment="exactly what is sent, as JSON; empty when it can't be made",
        ),
        Column(
            "payload",
            NulSafeText,
            nullable=False,
            comment="the incident as it was, a notification as JSON",
        ),
        Column("created", BigInteger, nullable=False),
        Column("expires", BigInteger, comment="until when it may be approved"),
        Column("decided", BigInteger, comment="when a person approved or rejected it"),
        Column("author", NulSafeText, nullable=False, default=""),
        Column(
            "reason",
            NulSafeText,
            nullable=False,
            default="",
            comment="why it was approved, rejected, or not run",
        ),
    ),
    Index("action_runs_by_incident", "incident"),
    Index("action_runs_by_action", "action", "created"),
    comment=(
        "Runs of actions: each once for an incident. What became of an approved one "
        "stands in the outbox."
    ),
)

reports = Table(
    "reports",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("title", NulSafeText, nullable=False),
        Column("payload", NulSafeText, nullable=False, comment="the notification as JSON"),
    ),
    comment="The first report of each model version. Its messages stand in the outbox.",
)

model_decisions = Table(
    "model_decisions",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True, comment="start of the windows"),
        Column("end", BigInteger, nullable=False),
        Column("decision", NulSafeString, nullable=False),
        Column("since", BigInteger, nullable=False, comment="start of the first with the same"),
        Column("reasons", NulSafeText, nullable=False, comment="sentences as JSON"),
        Column("evidence", NulSafeText, nullable=False, comment="findings as JSON"),
        Column("action", NulSafeString, nullable=False, default=""),
        Column("effect", NulSafeText, nullable=False, default=""),
    ),
    comment="What to do with each model, decided for each span of time.",
)

records = Table(
    "records",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("model", NulSafeString, nullable=False),
        Column("kind", NulSafeString, nullable=False, comment="model, version, alias, event ..."),
        Column("name", NulSafeString, nullable=False, comment="empty for the model itself"),
        Column("revision", Integer, nullable=False, comment="1, 2, ...; the highest one counts"),
        Column("at", BigInteger, nullable=False, comment="when it was written"),
        Column("way", NulSafeString, nullable=False, comment="config, cli, http, python, import"),
        Column("author", NulSafeText, nullable=False, default=""),
        Column("reason", NulSafeText, nullable=False, default=""),
        Column("happened", BigInteger, comment="when an event happened"),
        Column("body", NulSafeText, comment="the fields as JSON; NULL where it was deleted"),
    ),
    UniqueConstraint("model", "kind", "name", "revision"),
    Index("records_by_time", "model", "kind", "happened"),
    comment="What people and programs say of the models: a row for each change, none is changed.",
)

discovered_models = Table(
    "discovered_models",
    metadata,
    *(
        Column("pattern", NulSafeString, primary_key=True),
        Column("part", NulSafeString, primary_key=True, comment="the text of the placeholder"),
        Column("first_seen", BigInteger, nullable=False),
        Column("last_seen", BigInteger, nullable=False),
    ),
    comment="The folders for which a pattern of the configuration has a model each.",
)

link_keys = Table(
    "link_keys",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("key", LargeBinary, nullable=False),
        Column("made", BigInteger, nullable=False),
        Column("end", BigInteger, comment="NULL for the key that signs"),
    ),
    comment="The keys that sign the links of messages; earlier ones are valid until their end.",
)
